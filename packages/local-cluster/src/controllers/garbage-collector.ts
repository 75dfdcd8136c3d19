import type { ClusterApi, DeleteOptions, KubernetesObject, ObjectMeta, ObjectRef, WatchEvent } from "../cluster-api.ts";
import { apiVersionOf } from "../resources/resource.ts";
import { findResource, resources } from "../resources/table.ts";
import {
  type Controller,
  type ControllerDeps,
  find,
  formatKey,
  parseKey,
  undefinedIfGone,
  watchEverything,
} from "./controller.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { OwnerGraph } from "./owner-graph.ts";
import type { WorkQueue } from "./work-queue.ts";

type OwnerReference = NonNullable<ObjectMeta["ownerReferences"]>[number];

/** How an owner stands to what it owns: there, gone, or waiting for it to go first. */
type Standing = "solid" | "absent" | "waiting";

const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";

/**
 * Deletes objects whose owners are all gone, and lets go owners that wait for what they own (foreground) or for it to be
 * freed from them (orphan).
 */
export class GarbageCollector implements Controller {
  readonly name = "garbage-collector";
  readonly #cluster: ClusterApi;
  readonly #events: EventRecorder;
  readonly #graph = new OwnerGraph();
  /** Namespaces by uid of all objects there are. */
  readonly #homes = new Map<string, string>();

  constructor({ cluster, recorder }: ControllerDeps) {
    this.#cluster = cluster;
    this.#events = recorder("garbage-collector-controller");
  }

  watch(queue: WorkQueue): Disposable[] {
    return watchEverything(this.#cluster, (ref, event) => {
      for (const key of this.#hear(ref, event)) queue.add(key);
    });
  }

  async work(key: string): Promise<void> {
    const ref = parseKey(key);
    const object = await find(this.#cluster, ref);
    if (object === undefined) return;
    const { deletionTimestamp, finalizers = [] } = object.metadata;
    if (deletionTimestamp === undefined) await this.#judge(ref, object);
    else if (finalizers.includes(ORPHAN)) await this.#orphanDependents(ref, object);
    else if (finalizers.includes(FOREGROUND)) await this.#awaitDependents(ref, object);
  }

  /** Notes a change; gives the keys that it may matter to. */
  #hear(ref: ObjectRef, { type, object }: WatchEvent<KubernetesObject>): string[] {
    const key = formatKey(ref);
    const { uid = "", deletionTimestamp, ownerReferences } = object.metadata;
    if (type === "DELETED") {
      this.#homes.delete(uid);
      this.#graph.delete(key);
      return [...this.#graph.dependentsOf(uid), ...ownerRefs(ref, object).map(formatKey)];
    }
    this.#homes.set(uid, ref.namespace);
    this.#graph.set(key, object);
    if (deletionTimestamp === undefined) return ownerReferences === undefined ? [] : [key];
    // Those that it waits for have to go now.
    return [key, ...this.#graph.dependentsOf(uid)];
  }

  async #judge(ref: ObjectRef, object: KubernetesObject): Promise<void> {
    const owners = object.metadata.ownerReferences ?? [];
    const standings = await Promise.all(owners.map((owner) => standingOf(this.#cluster, ref, owner)));
    if (standings.every((standing) => standing === "solid")) return;
    if (standings.includes("solid")) {
      const ownerReferences = owners.filter((_, index) => standings[index] === "solid");
      await this.#cluster.patch(ref, { metadata: { uid: object.metadata.uid, ownerReferences } });
      return;
    }
    await this.#reportStrangers(ref, object);
    const isAwaited = standings.includes("waiting") && this.#graph.dependentsOf(object.metadata.uid).length > 0;
    const propagationPolicy = isAwaited ? "Foreground" : policyOf(object);
    const preconditions = { uid: object.metadata.uid ?? "" };
    await this.#cluster.delete(ref, { propagationPolicy, preconditions }).catch(undefinedIfGone);
  }

  /** An owner in another namespace is none; whoever wrote that should hear of it. */
  async #reportStrangers({ namespace }: ObjectRef, object: KubernetesObject): Promise<void> {
    for (const { apiVersion, kind, name, uid } of object.metadata.ownerReferences ?? []) {
      if ((this.#homes.get(uid) ?? namespace) === namespace) continue;
      const message = `ownerRef [${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}] does not exist in namespace "${namespace}"`;
      await this.#events.record(object, { type: "Warning", reason: "OwnerRefInvalidNamespace", message });
    }
  }

  async #orphanDependents(ref: ObjectRef, owner: KubernetesObject): Promise<void> {
    for (const key of this.#graph.dependentsOf(owner.metadata.uid)) {
      const dependentRef = parseKey(key);
      const dependent = await find(this.#cluster, dependentRef);
      const { uid, ownerReferences = [] } = dependent?.metadata ?? {};
      const others = ownerReferences.filter((each) => each.uid !== owner.metadata.uid);
      if (dependent === undefined || others.length === ownerReferences.length) continue;
      await this.#cluster.patch(dependentRef, { metadata: { uid, ownerReferences: others } }).catch(undefinedIfGone);
    }
    await this.#dropFinalizer(ref, owner, ORPHAN);
  }

  async #awaitDependents(ref: ObjectRef, owner: KubernetesObject): Promise<void> {
    const { uid } = owner.metadata;
    const keys = this.#graph.dependentsOf(uid);
    const dependents = await Promise.all(keys.map((key) => find(this.#cluster, parseKey(key))));
    const isBlocked = dependents.some((dependent) =>
      dependent?.metadata.ownerReferences?.some((each) => each.uid === uid && each.blockOwnerDeletion),
    );
    if (!isBlocked) await this.#dropFinalizer(ref, owner, FOREGROUND);
  }

  async #dropFinalizer(ref: ObjectRef, { metadata }: KubernetesObject, name: string): Promise<void> {
    const { uid, resourceVersion, finalizers = [] } = metadata;
    const others = finalizers.filter((finalizer) => finalizer !== name);
    await this.#cluster.patch(ref, { metadata: { uid, resourceVersion, finalizers: others } }).catch(undefinedIfGone);
  }
}

async function standingOf(cluster: ClusterApi, dependent: ObjectRef, owner: OwnerReference): Promise<Standing> {
  const ref = ownerRef(dependent, owner);
  // Of a kind that is not known here, or of a place that the dependent cannot name, nothing can be said.
  if (ref === undefined) return "solid";
  const found = await find(cluster, ref);
  if (found === undefined || found.metadata.uid !== owner.uid) return "absent";
  const { deletionTimestamp, finalizers } = found.metadata;
  return deletionTimestamp !== undefined && finalizers?.includes(FOREGROUND) ? "waiting" : "solid";
}

function ownerRefs(dependent: ObjectRef, { metadata }: KubernetesObject): ObjectRef[] {
  return (metadata.ownerReferences ?? []).flatMap((owner) => ownerRef(dependent, owner) ?? []);
}

function ownerRef(dependent: ObjectRef, { apiVersion, kind, name }: OwnerReference): ObjectRef | undefined {
  const resource = resources.find((each) => each.kind === kind && apiVersionOf(each) === apiVersion);
  const fromNowhere = resource?.namespaced && !findResource(dependent.resource)?.namespaced;
  if (resource === undefined || fromNowhere) return undefined;
  return { resource: resource.plural, namespace: resource.namespaced ? dependent.namespace : "", name };
}

function policyOf({ metadata }: KubernetesObject): NonNullable<DeleteOptions["propagationPolicy"]> {
  if (metadata.finalizers?.includes(ORPHAN)) return "Orphan";
  return metadata.finalizers?.includes(FOREGROUND) ? "Foreground" : "Background";
}
