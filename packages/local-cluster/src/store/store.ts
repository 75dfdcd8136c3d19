import type { KubernetesObject } from "../cluster-api.ts";
import { deepFreeze, textOf } from "../json.ts";
import { expired } from "../status-error.ts";
import { Journal } from "./journal.ts";

/** One change of one object. `previous` is absent when the object is new. */
export interface StoreEvent {
  version: number;
  key: string;
  object: KubernetesObject;
  previous: KubernetesObject | undefined;
  deleted: boolean;
}

type Listener = (event: StoreEvent) => void;

interface Shelf {
  objects: Map<string, KubernetesObject>;
  /** Keys in order; absent after a key came or went. */
  sorted: string[] | undefined;
  /** The newest changes, oldest first. */
  history: StoreEvent[];
  /** Changes up to this version are no longer known. */
  forgotten: number;
  listeners: Set<Listener>;
}

/**
 * All objects, in memory and in a file, each under its resource and a key `namespace/name`.
 * Every write gets a `metadata.resourceVersion` higher than any before it, also across restarts.
 */
export class Store implements Disposable {
  readonly #journal: Journal;
  readonly #shelves = new Map<string, Shelf>();
  readonly #historyLimit: number;
  readonly #firstVersion: number;

  constructor(file: string, historyLimit = 5000) {
    this.#journal = new Journal(file);
    this.#historyLimit = historyLimit;
    this.#firstVersion = this.#journal.version;
    for (const { resource, key, text } of this.#journal.rows()) {
      this.#shelf(resource).objects.set(key, deepFreeze(JSON.parse(text)));
    }
  }

  /** The version of the newest change of any object. */
  get version(): number {
    return this.#journal.version;
  }

  find(resource: string, key: string): KubernetesObject | undefined {
    return this.#shelf(resource).objects.get(key);
  }

  /**
   * All objects of a resource in the order of their keys, as they were at a version.
   *
   * @throws {StatusError} 410 Expired when the version is too far back
   */
  list(resource: string, version = this.version): KubernetesObject[] {
    const shelf = this.#shelf(resource);
    if (version >= this.version) {
      shelf.sorted ??= [...shelf.objects.keys()].sort(byCodeUnits);
      return shelf.sorted.flatMap((key) => shelf.objects.get(key) ?? []);
    }
    const then = new Map(shelf.objects);
    for (const { key, previous } of this.eventsSince(resource, version).toReversed()) {
      if (previous === undefined) then.delete(key);
      else then.set(key, previous);
    }
    return [...then.keys()].sort(byCodeUnits).flatMap((key) => then.get(key) ?? []);
  }

  /** Writes an object under a new version and tells all listeners before it returns. */
  put(resource: string, key: string, object: KubernetesObject): KubernetesObject {
    const version = this.#journal.nextVersion();
    const stored = stamped(object, version);
    this.#journal.write({ resource, key, text: textOf(stored) });
    const shelf = this.#shelf(resource);
    const previous = shelf.objects.get(key);
    shelf.objects.set(key, stored);
    if (previous === undefined) shelf.sorted = undefined;
    this.#tell(shelf, { version, key, object: stored, previous, deleted: false });
    return stored;
  }

  /** Removes an object; listeners get `last`, its last state, under a new version. */
  remove(resource: string, key: string, last: KubernetesObject): void {
    const version = this.#journal.nextVersion();
    this.#journal.erase(resource, key);
    const shelf = this.#shelf(resource);
    const previous = shelf.objects.get(key);
    shelf.objects.delete(key);
    shelf.sorted = undefined;
    this.#tell(shelf, { version, key, object: stamped(last, version), previous, deleted: true });
  }

  /**
   * The changes after a version, oldest first.
   *
   * @throws {StatusError} 410 Expired when some of them are no longer known
   */
  eventsSince(resource: string, version: number): StoreEvent[] {
    const { history, forgotten } = this.#shelf(resource);
    if (version < forgotten) throw expired(`too old resource version: ${version} (${forgotten})`);
    const first = history.findLastIndex((event) => event.version <= version) + 1;
    return history.slice(first);
  }

  /** Calls back at each change of a resource, within the write: the listener must not write itself. */
  listen(resource: string, listener: Listener): Disposable {
    const { listeners } = this.#shelf(resource);
    listeners.add(listener);
    return { [Symbol.dispose]: () => void listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }

  #tell(shelf: Shelf, event: StoreEvent): void {
    shelf.history.push(event);
    // Cut seldom and much: dropping one at each write would cost a move of the whole history.
    if (shelf.history.length > 2 * this.#historyLimit) {
      const dropped = shelf.history.splice(0, shelf.history.length - this.#historyLimit);
      shelf.forgotten = dropped.at(-1)?.version ?? shelf.forgotten;
    }
    for (const listener of shelf.listeners) listener(event);
  }

  #shelf(resource: string): Shelf {
    let shelf = this.#shelves.get(resource);
    if (shelf === undefined) {
      shelf = {
        objects: new Map(),
        sorted: undefined,
        history: [],
        forgotten: this.#firstVersion,
        listeners: new Set(),
      };
      this.#shelves.set(resource, shelf);
    }
    return shelf;
  }
}

function stamped(object: KubernetesObject, version: number): KubernetesObject {
  const { apiVersion, kind, metadata, ...rest } = object;
  return deepFreeze({ apiVersion, kind, metadata: { ...metadata, resourceVersion: String(version) }, ...rest });
}

function byCodeUnits(one: string, other: string): number {
  return one < other ? -1 : 1;
}
