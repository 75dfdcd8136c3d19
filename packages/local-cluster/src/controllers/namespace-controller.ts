import type { ClusterApi, KubernetesObject } from "../cluster-api.ts";
import { resources } from "../resources/table.ts";
import {
  type Controller,
  type ControllerDeps,
  find,
  formatKey,
  parseKey,
  undefinedIfGone,
  watchEverything,
} from "./controller.ts";
import type { WorkQueue } from "./work-queue.ts";

const namespaced = resources.filter((resource) => resource.namespaced);

/** Deletes all that is in a Namespace that is going, and lets it go once it is empty. */
export class NamespaceController implements Controller {
  readonly name = "namespace";
  readonly #cluster: ClusterApi;
  readonly #going = new Set<string>();

  constructor({ cluster }: ControllerDeps) {
    this.#cluster = cluster;
  }

  watch(queue: WorkQueue): Disposable[] {
    const add = (name: string): void => queue.add(formatKey({ resource: "namespaces", namespace: "", name }));
    return watchEverything(this.#cluster, ({ resource, namespace, name }, { type }) => {
      if (resource === "namespaces") add(name);
      else if (type === "DELETED" && this.#going.has(namespace)) add(namespace);
    });
  }

  async work(key: string): Promise<void> {
    const ref = parseKey(key);
    const namespace = await find(this.#cluster, ref);
    if (namespace?.metadata.deletionTimestamp === undefined) {
      this.#going.delete(ref.name);
      return;
    }
    this.#going.add(ref.name);
    let left = 0;
    for (const { plural: resource } of namespaced) left += await this.#deleteAll(resource, ref.name);
    // What is left goes later, and its going brings this back.
    if (left > 0) return;
    await this.#cluster.patch(ref, { spec: { finalizers: [] } }, "finalize").catch(undefinedIfGone);
  }

  async #deleteAll(resource: string, namespace: string): Promise<number> {
    const { items } = await this.#cluster.list<KubernetesObject>(resource, { namespace });
    for (const { metadata } of items) {
      if (metadata.deletionTimestamp !== undefined) continue;
      const ref = { resource, namespace, name: metadata.name ?? "" };
      await this.#cluster.delete(ref, { propagationPolicy: "Background" }).catch(undefinedIfGone);
    }
    return (await this.#cluster.list(resource, { namespace })).items.length;
  }
}
