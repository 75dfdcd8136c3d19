/**
 * How this replica leaves. It is announced first, so that whoever chooses between replicas chooses another, while every
 * request is still answered; then it is begun, and streams, which would never end, do.
 */
export class Departure {
  readonly #begun = new AbortController();
  #isAnnounced = false;

  get isAnnounced(): boolean {
    return this.#isAnnounced;
  }

  /** Aborted when it is begun. */
  get begun(): AbortSignal {
    return this.#begun.signal;
  }

  announce(): void {
    this.#isAnnounced = true;
  }

  begin(): void {
    this.announce();
    this.#begun.abort();
  }
}
