import type { Logger } from "../logger.ts";
import { StatusError } from "../status-error.ts";

const FIRST_RETRY_MS = 10;
const LAST_RETRY_MS = 10_000;

/**
 * Does the work for each key that was added, one after another. A key added while it waits is done once; one added while
 * its work is under way is done again. What fails is tried again, after a growing while.
 */
export class WorkQueue implements AsyncDisposable {
  readonly #name: string;
  readonly #work: (key: string) => Promise<void>;
  readonly #logger: Logger;
  readonly #waiting = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #running: Promise<void> | undefined;
  #isOver = false;

  constructor(name: string, work: (key: string) => Promise<void>, logger: Logger) {
    this.#name = name;
    this.#work = work;
    this.#logger = logger;
  }

  add(key: string): void {
    if (this.#isOver) return;
    this.#waiting.add(key);
    this.#running ??= this.#run();
  }

  addLater(key: string, delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.add(key);
    }, delayMs);
    this.#timers.add(timer);
  }

  /** Ends with the work that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#waiting.clear();
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    for (const key of this.#waiting) {
      this.#waiting.delete(key);
      await this.#attempt(key);
    }
    this.#running = undefined;
  }

  async #attempt(key: string): Promise<void> {
    try {
      await this.#work(key);
      this.#failures.delete(key);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      // Somebody else was quicker: not worth a word.
      const isRace = error instanceof StatusError && [404, 409].includes(error.code);
      if (!isRace) this.#logger.warn({ queue: this.#name, key, error }, "a reconciliation failed");
      if (!this.#isOver) this.addLater(key, Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LAST_RETRY_MS));
    }
  }
}
