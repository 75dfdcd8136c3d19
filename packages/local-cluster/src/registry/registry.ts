import { isDeepStrictEqual } from "node:util";
import type { DeleteOptions, KubernetesObject, Subresource } from "../cluster-api.ts";
import { deepFreeze, isObject } from "../json.ts";
import { applyDefaults } from "../resources/defaults.ts";
import { keyOf, keyOfObject, type Resource } from "../resources/resource.ts";
import { getResource } from "../resources/table.ts";
import { alreadyExists, notFound } from "../status-error.ts";
import type { Store } from "../store/store.ts";
import { checkPreconditions, isFinished, markDeleted } from "./deletion.ts";
import { newObject, updatedMetadata } from "./metadata.ts";
import { builtInNamespaces, checkNamespace, checkNamespaceDeletable } from "./namespaces.ts";
import { checkChange, checkObject } from "./validation.ts";

export interface WriteOptions {
  /** Goes all the way but for the writing. */
  dryRun?: boolean;
}

export interface UpdateOptions extends WriteOptions {
  subresource?: Subresource | undefined;
}

export interface Deleted {
  object: KubernetesObject;
  /** False when the object stays, marked, until something has happened that it waits for. */
  gone: boolean;
}

/**
 * The verbs of the API server on stored objects, without the wire.
 * Objects handed in become the registry's own: it changes them.
 * All are synchronous, so each is atomic. All throw `StatusError`. Objects given out are frozen.
 */
export class Registry {
  readonly store: Store;
  readonly #now: () => Date;

  constructor(store: Store, now: () => Date = () => new Date()) {
    this.store = store;
    this.#now = now;
  }

  /** Makes the namespaces that there always are, where they are missing. */
  createBuiltInNamespaces(): void {
    const resource = getResource("namespaces");
    for (const name of builtInNamespaces) {
      if (this.store.find("namespaces", keyOf("", name)) !== undefined) continue;
      this.create(resource, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    }
  }

  get(resource: Resource, namespace: string, name: string): KubernetesObject {
    const object = this.store.find(resource.plural, keyOf(namespace, name));
    if (object === undefined) throw notFound(resource, name);
    return object;
  }

  create(resource: Resource, sent: KubernetesObject, options: WriteOptions = {}): KubernetesObject {
    const object = newObject(resource, sent, this.#now());
    checkNamespace(this.store, resource, object);
    this.#complete(resource, object);
    checkObject(resource, object);
    const key = keyOfObject(object);
    if (this.store.find(resource.plural, key) !== undefined) throw alreadyExists(resource, object.metadata.name ?? "");
    return options.dryRun ? deepFreeze(object) : this.store.put(resource.plural, key, object);
  }

  /** Replaces an object by what `change` makes of it. An update that changes nothing writes nothing. */
  update(
    resource: Resource,
    at: { namespace: string; name: string },
    change: (current: KubernetesObject) => KubernetesObject,
    options: UpdateOptions = {},
  ): KubernetesObject {
    const current = this.get(resource, at.namespace, at.name);
    const sent = change(current);
    const next = merged(resource, sent, current, options.subresource);
    if (options.subresource === undefined) this.#complete(resource, next, current);
    checkChange(resource, next, current, options.subresource);
    if (isDeepStrictEqual(next, current)) return current;
    if (resource.countsGenerations && !isDeepStrictEqual(next["spec"], current["spec"])) {
      next.metadata.generation = (current.metadata.generation ?? 0) + 1;
    }
    if (options.dryRun) return deepFreeze(next);
    const key = keyOf(at.namespace, at.name);
    if (!isFinished(next)) return this.store.put(resource.plural, key, next);
    this.store.remove(resource.plural, key, next);
    return deepFreeze(next);
  }

  delete(
    resource: Resource,
    at: { namespace: string; name: string },
    options: DeleteOptions & WriteOptions = {},
  ): Deleted {
    const current = this.get(resource, at.namespace, at.name);
    checkPreconditions(resource, current.metadata, options);
    checkNamespaceDeletable(resource, at.name);
    const marked = deepFreeze(markDeleted(current, options, this.#now()));
    const gone = isFinished(marked);
    const key = keyOf(at.namespace, at.name);
    if (options.dryRun || (!gone && isDeepStrictEqual(marked, current))) return { object: marked, gone };
    if (!gone) return { object: this.store.put(resource.plural, key, marked), gone };
    // Only kinds that are deleted in two steps show the mark in their last state.
    this.store.remove(resource.plural, key, resource.kind === "Pod" ? marked : current);
    return { object: marked, gone };
  }

  #complete(resource: Resource, object: KubernetesObject, current?: KubernetesObject): void {
    applyDefaults(object, resource.defaults ?? {});
    resource.prepare?.(object, current, this.store);
  }
}

/** The next state: of what was sent, only the part that the request is about. */
function merged(
  resource: Resource,
  sent: KubernetesObject,
  current: KubernetesObject,
  subresource: Subresource | undefined,
): KubernetesObject {
  const metadata = updatedMetadata(resource, sent.metadata, current.metadata);
  const part = (field: string): object => (field in sent ? { [field]: sent[field] } : {});
  const spec = isObject(current["spec"]) ? current["spec"] : {};
  const sentSpec = isObject(sent["spec"]) ? sent["spec"] : {};
  switch (subresource) {
    case "status":
      return { ...current, metadata, ...part("status") };
    case "finalize":
      return { ...current, metadata, spec: { ...spec, finalizers: sentSpec["finalizers"] ?? [] } };
    case "binding":
      return { ...current, metadata, spec: { ...spec, nodeName: sentSpec["nodeName"] } };
    default: {
      const keepsStatus = resource.subresources?.includes("status") && "status" in current;
      return { ...sent, metadata, ...(keepsStatus && { status: current["status"] }) };
    }
  }
}
