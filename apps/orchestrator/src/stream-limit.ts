import { OrchestratorError } from "@cactus/core";

/** Streams that one user may have open on a replica. */
const STREAMS_PER_USER = 200;

/** Counts the open event streams of each user. */
export class StreamLimit {
  readonly #open = new Map<string, number>();

  /**
   * Counts a stream of the user's until it is disposed or the signal is aborted, whichever comes first: a stream that was
   * never read from is not ended either.
   *
   * @throws {OrchestratorError} `too_many_requests` when the user has as many as one may
   */
  open(userId: string, signal: AbortSignal): Disposable {
    if ((this.#open.get(userId) ?? 0) >= STREAMS_PER_USER) {
      const message = `You follow ${STREAMS_PER_USER} runs at once, as many as one user may: end some of these streams.`;
      throw new OrchestratorError("too_many_requests", message);
    }
    this.#add(userId, 1);
    const counted = new DisposableStack();
    counted.defer(() => this.#add(userId, -1));
    signal.addEventListener("abort", () => counted.dispose(), { once: true });
    return counted;
  }

  #add(userId: string, change: number): void {
    const count = (this.#open.get(userId) ?? 0) + change;
    if (count > 0) this.#open.set(userId, count);
    else this.#open.delete(userId);
  }
}
