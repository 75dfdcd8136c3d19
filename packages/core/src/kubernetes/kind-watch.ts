import { setTimeout as sleep } from "node:timers/promises";
import { type KubernetesListObject, type KubernetesObject, Watch } from "@kubernetes/client-node";
import { retryAfterMs, statusOf } from "./api-errors.ts";
import type { Cluster } from "./cluster.ts";

export interface KindWatchOptions<TObject extends KubernetesObject> {
  /** Path of the collection, as `/api/v1/namespaces/x/pods`. */
  path: string;
  /** Which of the collection. */
  selector: { labelSelector?: string; fieldSelector?: string };
  list: () => Promise<KubernetesListObject<TObject>>;
  /** The whole truth, after a list: what is not in it is gone. */
  onList: (objects: TObject[]) => void;
  onChange: (type: "ADDED" | "MODIFIED" | "DELETED", object: TObject) => void;
  onError?: (error: unknown) => void;
}

/** Pause after a failed list or watch, doubled each time up to the longest. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Follows the objects of one kind, for ever: list, watch from there, and again when the watch breaks or is too old
 * (410 Gone). A watch that has gone silent is given up by the client library after 30 s and taken up again.
 */
export class KindWatch<TObject extends KubernetesObject> implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #options: KindWatchOptions<TObject>;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  /** Aborted to break off the present watch and list anew. */
  #restart = new AbortController();
  #listed = Promise.withResolvers<void>();
  #synced = false;
  #lastHeardAt: Date | undefined;

  constructor(cluster: Cluster, options: KindWatchOptions<TObject>) {
    this.#cluster = cluster;
    this.#options = options;
    this.#running = this.#run();
  }

  /** Whether it has been listed at least once. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Resolves when it has been listed. */
  async untilSynced(): Promise<void> {
    await this.#listed.promise;
  }

  /** When the API server was last heard of: by a list, the beginning of a watch, an event, a bookmark, a watch's clean end. */
  get lastHeardAt(): Date | undefined {
    return this.#lastHeardAt;
  }

  /** Lists anew, against events that were missed unnoticed. Resolves when that is done. */
  async resync(): Promise<void> {
    this.#listed = Promise.withResolvers();
    this.#restart.abort();
    await this.#listed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#restart.abort();
    this.#listed.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    while (!this.#stop.signal.aborted) {
      this.#restart = new AbortController();
      const { failed, restMs } = await this.#listAndWatch(this.#restart.signal);
      pause = failed === "at once" ? Math.min(2 * pause, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
      await this.#pause(Math.max(pause, restMs));
    }
  }

  /** Shorter when a new beginning is asked for. */
  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#restart.signal }).catch(() => {});
  }

  /** Ends when the watch has to begin anew; "at once" when not even the list came. */
  async #listAndWatch(signal: AbortSignal): Promise<{ failed: "at once" | "later"; restMs: number }> {
    let listed = false;
    let restMs = 0;
    try {
      let version = await this.#list();
      listed = true;
      while (!signal.aborted) {
        version = await this.#watch(version, signal);
        await this.#pause(FIRST_PAUSE_MS);
      }
    } catch (error) {
      restMs = retryAfterMs(error);
      if (!signal.aborted && !isTooOld(error)) this.#options.onError?.(error);
    }
    return { failed: listed ? "later" : "at once", restMs };
  }

  async #list(): Promise<string> {
    const { items, metadata } = await this.#options.list();
    this.#options.onList(items);
    this.#synced = true;
    this.#lastHeardAt = new Date();
    this.#listed.resolve();
    return metadata?.resourceVersion ?? "";
  }

  /** Resolves, when the watch has ended cleanly, with the version to go on from. */
  #watch(from: string, signal: AbortSignal): Promise<string> {
    let version = from;
    const { path, selector, onChange } = this.#options;
    const query = { ...selector, resourceVersion: from, allowWatchBookmarks: true };
    return new Promise((resolve, reject) => {
      const onEvent = (type: string, object: TObject & { code?: number }): void => {
        this.#lastHeardAt = new Date();
        if (type === "ERROR") reject(new WatchError(object.code));
        version = object.metadata?.resourceVersion ?? version;
        if (type === "ADDED" || type === "MODIFIED" || type === "DELETED") onChange(type, object);
      };
      let failed = false;
      const onDone = (error: unknown): void => {
        failed = Boolean(error);
        if (failed && !isQuietEnd(error)) reject(error);
        if (!failed) this.#lastHeardAt = new Date();
        resolve(version);
      };
      const watching = new Watch(this.#cluster.config).watch(path, query, onEvent, onDone);
      watching.then(() => {
        if (!failed) this.#lastHeardAt = new Date();
      }, reject);
      onAbort(signal, () => {
        // Also while the server has not even begun to answer.
        resolve(version);
        watching.then(
          (begun) => begun.abort(),
          () => {},
        );
      });
    });
  }
}

/** An ERROR event of the watch. */
class WatchError extends Error {
  override readonly name = "WatchError";
  readonly code: number | undefined;

  constructor(code: number | undefined) {
    super(`the watch ended with ${code}`);
    this.code = code;
  }
}

/** The library's inactivity limit: nothing happened for 30 s. */
function isQuietEnd(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

function isTooOld(error: unknown): boolean {
  const code =
    error instanceof WatchError ? error.code : (statusOf(error) ?? (error as { statusCode?: number }).statusCode);
  return code === 410;
}

function onAbort(signal: AbortSignal, listener: () => void): void {
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
}
