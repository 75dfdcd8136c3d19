import type { Logger } from "./log.ts";

/** What is wrong, as a sentence; undefined when nothing is. */
export type Verdict = string | undefined;

export interface PreflightOptions {
  /** What is to be judged, by name; empty while that is not known. */
  list: () => string[];
  /** Judges one of them. Rejects when there is no verdict now: the earlier one stands, and it is tried again. */
  judge: (name: string) => Promise<Verdict>;
  logger: Pick<Logger, "warn" | "info">;
}

/** Pause before what had no verdict is judged again. */
const RETRY_MS = 5_000;
/** Changes that come together are judged together. */
const SETTLE_MS = 50;

/** Judges a list of things after each change of them, and remembers the verdicts. */
export class Preflight implements AsyncDisposable {
  readonly #options: PreflightOptions;
  #verdicts: ReadonlyMap<string, Verdict> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #judging: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: PreflightOptions) {
    this.#options = options;
  }

  /** What is known now, by name. */
  get verdicts(): ReadonlyMap<string, Verdict> {
    return this.#verdicts;
  }

  /** Has everything judged soon: something has changed. */
  request(delayMs = SETTLE_MS): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#judging = this.#judging.then(() => this.#judgeAll());
    }, delayMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#judging;
  }

  async #judgeAll(): Promise<void> {
    const { list, logger } = this.#options;
    const judged = await Promise.all(list().map(async (name) => [name, await this.#judge(name)] as const));
    const verdicts = new Map<string, Verdict>();
    for (const [name, result] of judged) {
      if (result !== "unknown") verdicts.set(name, result.verdict);
      else if (this.#verdicts.has(name)) verdicts.set(name, this.#verdicts.get(name));
      if (result !== "unknown" && result.verdict !== undefined) {
        logger.warn({ version: name, problem: result.verdict }, "no teststack can be made");
      }
    }
    this.#verdicts = verdicts;
    if (judged.some(([, result]) => result === "unknown")) this.request(RETRY_MS);
  }

  async #judge(name: string): Promise<{ verdict: Verdict } | "unknown"> {
    try {
      return { verdict: await this.#options.judge(name) };
    } catch (err) {
      this.#options.logger.info({ err, version: name }, "preflight without a verdict: it is tried again");
      return "unknown";
    }
  }
}
