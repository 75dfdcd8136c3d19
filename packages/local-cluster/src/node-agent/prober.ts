import type { ActionFailure } from "./container-action.ts";
import type { Probe } from "./pod-model.ts";

const FIRST_CATCH_UP_MS = 100;
const LAST_CATCH_UP_MS = 1000;

export interface ProberOptions {
  probe: Probe;
  attempt: (timeoutSeconds: number) => Promise<ActionFailure>;
  /** Hears of each failure that counts. */
  onFailure: (why: string) => void;
  /** Hears of each change: the threshold of successes or of failures in a row was reached. */
  onOutcome: (isSuccess: boolean, why: string | undefined) => void;
  /**
   * Tries more often than the period until the first success, so that it is noticed soon after it is there.
   * Failures of such extra tries do not count.
   */
  isCatchingUp: boolean;
}

/** Tries a probe at its period until disposed, at once first (after `initialDelaySeconds`). */
export class Prober implements Disposable {
  readonly #options: ProberOptions;
  readonly #periodMs: number;
  readonly #ended = new AbortController();
  #timer: NodeJS.Timeout;
  #catchUpMs = FIRST_CATCH_UP_MS;
  #successes = 0;
  #failures = 0;
  #countedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ProberOptions) {
    const { probe, isCatchingUp } = options;
    this.#options = options;
    this.#periodMs = (probe.periodSeconds ?? 10) * 1000;
    if (!isCatchingUp) this.#catchUpMs = this.#periodMs;
    this.#timer = this.#schedule((probe.initialDelaySeconds ?? 0) * 1000);
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => void this.#try(), delayMs).unref();
  }

  async #try(): Promise<void> {
    const startedAt = performance.now();
    const failure = await this.#options.attempt(this.#options.probe.timeoutSeconds ?? 1);
    if (this.#ended.signal.aborted) return;
    if (failure === undefined) this.#countSuccess();
    // A tenth of a period early is on time: timers are not that exact.
    else if (startedAt - this.#countedAt >= this.#periodMs * 0.9) this.#countFailure(startedAt, failure);
    if (this.#ended.signal.aborted) return;
    const delay = Math.min(this.#catchUpMs, this.#periodMs);
    if (this.#catchUpMs < this.#periodMs) this.#catchUpMs = Math.min(this.#catchUpMs * 2, LAST_CATCH_UP_MS);
    this.#timer = this.#schedule(Math.max(0, delay - (performance.now() - startedAt)));
  }

  #countSuccess(): void {
    this.#catchUpMs = this.#periodMs;
    this.#failures = 0;
    this.#successes += 1;
    if (this.#successes === (this.#options.probe.successThreshold ?? 1)) this.#options.onOutcome(true, undefined);
  }

  #countFailure(at: number, why: string): void {
    this.#countedAt = at;
    this.#successes = 0;
    this.#failures += 1;
    this.#options.onFailure(why);
    if (!this.#ended.signal.aborted && this.#failures === (this.#options.probe.failureThreshold ?? 3)) {
      this.#options.onOutcome(false, why);
    }
  }
}
