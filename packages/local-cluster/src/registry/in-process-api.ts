import type { ClusterApi, KubernetesObject, ListOptions, WatchEvent } from "../cluster-api.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import type { Resource } from "../resources/resource.ts";
import { getResource } from "../resources/table.ts";
import { parseFieldSelector, parseLabelSelector, type Selector } from "../store/selectors.ts";
import type { Registry } from "./registry.ts";
import { inScope, watchStore } from "./watch.ts";

/** The API server's operations for what lives in its own process. */
export function createInProcessApi(registry: Registry): ClusterApi {
  const { store } = registry;
  const api: ClusterApi = {
    async get(ref) {
      return shared(registry.get(getResource(ref.resource), ref.namespace, ref.name));
    },
    async list(plural, options = {}) {
      const resource = getResource(plural);
      const items = store.list(plural).filter(inScope(scopeOf(resource, options)));
      return { items: shared(items), resourceVersion: String(store.version) };
    },
    async create(plural, object) {
      return shared(registry.create(getResource(plural), copied(object)));
    },
    async update(plural, object, subresource) {
      const next = copied(object);
      const { namespace = "", name = "" } = next.metadata;
      return shared(registry.update(getResource(plural), { namespace, name }, () => next, { subresource }));
    },
    async patch(ref, patch, subresource) {
      const change = (current: KubernetesObject): KubernetesObject => copied(mergePatch(current, patch));
      return shared(registry.update(getResource(ref.resource), ref, change, { subresource }));
    },
    async delete(ref, options) {
      registry.delete(getResource(ref.resource), ref, options);
    },
    watch(plural, options, onEvent) {
      const resource = getResource(plural);
      const queue = new EventQueue<KubernetesObject>((event) => onEvent(shared(event)));
      const watch = watchStore(store, resource, scopeOf(resource, options), (event) => queue.push(event));
      return {
        [Symbol.dispose]() {
          watch[Symbol.dispose]();
          queue.close();
        },
      };
    },
  };
  return api;
}

/** Keeps events until the write that made them is over, so that whoever gets one may write. */
class EventQueue<TObject> {
  #deliver: (event: WatchEvent<TObject>) => void;
  #waiting: WatchEvent<TObject>[] = [];

  constructor(deliver: (event: WatchEvent<TObject>) => void) {
    this.#deliver = deliver;
  }

  push(event: WatchEvent<TObject>): void {
    this.#waiting.push(event);
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
  }

  close(): void {
    this.#deliver = () => undefined;
  }

  #flush(): void {
    const events = this.#waiting;
    this.#waiting = [];
    for (const event of events) this.#deliver(event);
  }
}

function scopeOf(resource: Resource, options: ListOptions): { namespace?: string; selector: Selector } {
  const { namespace, labelSelector = "", fieldSelector = "" } = options;
  const byLabels = parseLabelSelector(labelSelector);
  const byFields = parseFieldSelector(fieldSelector, resource.selectableFields ?? []);
  return {
    ...(namespace !== undefined && { namespace }),
    selector: (object) => byLabels(object) && byFields(object),
  };
}

/** As it would arrive over the wire: times as text, absent fields really absent, nothing shared with the caller. */
function copied(object: object): KubernetesObject {
  return JSON.parse(JSON.stringify(object));
}

/** The caller names the kind that it knows the resource to have. */
function shared<TObject>(value: unknown): TObject {
  return value as TObject;
}
