import { followRun, type OrchestratorClient, type RunEvent } from "@cactus/client";
import type { Progress } from "./progress.ts";

/** Kinds that say what is wished or waited for, not what has been reached. */
const NOTES = new Set([
  "requested",
  "queued",
  "waiting",
  "start_requested",
  "finalise_requested",
  "collecting",
  "deleting",
]);

/** Tells a run's events as they come, whatever is done meanwhile. */
export class Story implements AsyncDisposable {
  readonly #progress: Progress;
  readonly #stop = new AbortController();
  readonly #telling: Promise<void>;
  readonly #kinds = new Set<string>();
  #end: { error?: unknown } | undefined;
  #news = Promise.withResolvers<void>();

  constructor(client: OrchestratorClient, runId: string, options: { progress: Progress; signal: AbortSignal }) {
    this.#progress = options.progress;
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#telling = this.#tellAll(followRun(client, { runId, signal }), options.signal);
  }

  /**
   * Waits for an event of this kind. False when the run has failed, or ended without one.
   *
   * @throws {Error} when the events cannot be followed, or the user has interrupted
   */
  async until(kind: string): Promise<boolean> {
    this.#progress.doing(`until ${kind}`);
    while (!this.#kinds.has(kind)) {
      if (this.#kinds.has("failed") && kind !== "end") return false;
      if (this.#end !== undefined) {
        if ("error" in this.#end) throw this.#end.error;
        return false;
      }
      await this.#news.promise;
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#telling;
  }

  async #tellAll(events: AsyncIterable<RunEvent>, interrupted: AbortSignal): Promise<void> {
    try {
      for await (const event of events) {
        this.#tell(event);
        this.#kinds.add(event.kind);
        this.#wake();
      }
      this.#end = interrupted.aborted ? { error: new Error("Interrupted.") } : {};
    } catch (error) {
      this.#end = { error };
    }
    this.#wake();
  }

  #tell({ kind, message }: RunEvent): void {
    const line = `${kind.padEnd(13)} ${message}`;
    if (kind === "failed") this.#progress.failed(line);
    else if (NOTES.has(kind)) this.#progress.note(line);
    else this.#progress.done(line);
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
