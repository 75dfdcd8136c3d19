import { EventEmitter } from "node:events";
import { type Database, findRun, type Kysely, listEvents, type RunEvent } from "@cactus/db";

/** A follower looks by itself after this long, in case a notification was lost. */
const LOOK_ANYWAY_MS = 15_000;
const PAGE = 200;

/**
 * Wakes those who follow a run's events. What they read is the table, so a wake that is lost costs time, never an event.
 */
export class RunFollowers {
  readonly #news = new EventEmitter().setMaxListeners(0);

  /** A run has a new event. */
  tell(runId: string): void {
    this.#news.emit(runId);
  }

  /** Any run may have new events: the connection that tells of them was interrupted. */
  tellAll(): void {
    for (const runId of this.#news.eventNames()) this.#news.emit(runId);
  }

  /** How many follow now. */
  get count(): number {
    return this.#news.eventNames().reduce((sum, runId) => sum + this.#news.listenerCount(runId), 0);
  }

  /**
   * Yields the run's events with a number above `after`, those there are and those to come, each once and in order.
   * Ends when the run has ended (or was deleted), or with the signal.
   */
  async *follow(
    db: Kysely<Database>,
    input: { runId: string; after: number; signal: AbortSignal },
  ): AsyncGenerator<RunEvent> {
    const { runId, signal } = input;
    let after = input.after;
    let news = Promise.withResolvers<void>();
    const wake = (): void => news.resolve();
    this.#news.on(runId, wake);
    signal.addEventListener("abort", wake);
    const timer = setInterval(wake, LOOK_ANYWAY_MS);
    try {
      while (!signal.aborted) {
        news = Promise.withResolvers();
        // Asked before the events are read: the last of them is written together with the end.
        const run = await findRun(db, { runId, ownerId: undefined });
        const events = await listEvents(db, { runId, after, limit: PAGE });
        for (const event of events) {
          yield event;
          after = event.number;
        }
        if (events.length === PAGE) continue;
        if (run === undefined || run.ended_at !== null) return;
        await news.promise;
      }
    } finally {
      clearInterval(timer);
      signal.removeEventListener("abort", wake);
      this.#news.off(runId, wake);
    }
  }
}
