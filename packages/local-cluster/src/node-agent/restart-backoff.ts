/** How long a container that keeps ending waits before it is started again. */
export interface BackoffTimes {
  /** Before the second restart; the first comes at once, each further one waits twice as long. */
  initialMs: number;
  maxMs: number;
}

/** Counts the ends of one container. An instance that ran for twice the longest wait makes it start anew. */
export class RestartBackoff {
  readonly #times: BackoffTimes;
  #ends = 0;

  constructor(times: BackoffTimes) {
    this.#times = times;
  }

  /** The wait after an instance that ran this long. */
  next(ranMs: number): number {
    const { initialMs, maxMs } = this.#times;
    this.#ends = ranMs > 2 * maxMs ? 1 : this.#ends + 1;
    return this.#ends === 1 ? 0 : Math.min(maxMs, initialMs * 2 ** (this.#ends - 2));
  }
}
