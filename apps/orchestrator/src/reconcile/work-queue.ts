/**
 * Works on things by their ids: on each one at a time, on many at once up to a limit.
 * An id that is added while it is worked on is worked on once more afterwards, so that no news is missed.
 */
export class WorkQueue implements AsyncDisposable {
  readonly #work: (id: string, waitedSeconds: number) => Promise<void>;
  readonly #limit: number;
  readonly #waiting = new Map<string, number>();
  /** Ids that wait or are worked on; true: once more afterwards. */
  readonly #known = new Map<string, boolean>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #active = 0;
  #closed = false;
  #idle = Promise.withResolvers<void>();

  /** `work` must not throw. */
  constructor(work: (id: string, waitedSeconds: number) => Promise<void>, limit: number) {
    this.#work = work;
    this.#limit = limit;
  }

  /** How many wait. */
  get length(): number {
    return this.#waiting.size;
  }

  add(id: string): void {
    if (this.#closed) return;
    if (this.#known.has(id)) {
      if (!this.#waiting.has(id)) this.#known.set(id, true);
      return;
    }
    this.#known.set(id, false);
    this.#waiting.set(id, performance.now());
    this.#next();
  }

  /** Adds the id after a pause; the latest pause counts. */
  addAfter(id: string, milliseconds: number): void {
    clearTimeout(this.#timers.get(id));
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      this.add(id);
    }, milliseconds);
    this.#timers.set(id, timer);
  }

  /** Takes no more, drops what waits, and resolves when what is under way is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#waiting.clear();
    if (this.#active > 0) await this.#idle.promise;
  }

  #next(): void {
    for (const [id, since] of this.#waiting) {
      if (this.#active >= this.#limit) return;
      this.#waiting.delete(id);
      this.#active += 1;
      void this.#run(id, (performance.now() - since) / 1000);
    }
  }

  async #run(id: string, waitedSeconds: number): Promise<void> {
    this.#known.set(id, false);
    await this.#work(id, waitedSeconds);
    const again = this.#known.get(id) === true;
    this.#known.delete(id);
    this.#active -= 1;
    if (again) this.add(id);
    this.#next();
    if (this.#active === 0) {
      this.#idle.resolve();
      this.#idle = Promise.withResolvers();
    }
  }
}
