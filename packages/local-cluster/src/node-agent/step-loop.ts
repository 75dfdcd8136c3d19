const RETRY_MS = 1000;

/** Runs a step whenever one is asked for, one at a time; one that fails is tried again a second later. */
export class StepLoop {
  readonly #step: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #asked = 0;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(step: () => Promise<void>, onError: (error: unknown) => void) {
    this.#step = step;
    this.#onError = onError;
  }

  /** Asks for a step that sees all that is known now. */
  ask(): void {
    this.#asked += 1;
    this.#running ??= Promise.resolve().then(() => this.#run());
  }

  askLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.ask(), RETRY_MS).unref();
  }

  /** Waits for the steps that were asked for; none is tried again after that. */
  async settle(): Promise<void> {
    await this.#running;
    clearTimeout(this.#retry);
  }

  async #run(): Promise<void> {
    for (let seen = 0; seen < this.#asked; ) {
      seen = this.#asked;
      try {
        await this.#step();
      } catch (error) {
        this.#onError(error);
        this.askLater();
      }
    }
    this.#asked = 0;
    this.#running = undefined;
  }
}
