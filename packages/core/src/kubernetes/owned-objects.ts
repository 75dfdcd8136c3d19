import type {
  V1DeleteOptions,
  V1Ingress,
  V1ObjectMeta,
  V1Pod,
  V1Secret,
  V1Service,
  V1StatefulSet,
} from "@kubernetes/client-node";
import { TESTSTACK_LABEL } from "../teststack/index.ts";
import { describeObjection, isConflict, isNotFound, toClusterError } from "./api-errors.ts";
import type { Cluster } from "./cluster.ts";

interface ObjectOf {
  StatefulSet: V1StatefulSet;
  Pod: V1Pod;
  Service: V1Service;
  Ingress: V1Ingress;
  Secret: V1Secret;
}

/** A kind that a teststack is made of. */
export type OwnedKind = keyof ObjectOf;

/** An object of a teststack, as it is to be. */
export type OwnedObject = ObjectOf[OwnedKind];

/** What a creation takes, beside the object, of the API server's own (`dryRun`, `fieldValidation`). */
interface CreateOptions {
  dryRun?: "All";
  fieldValidation?: "Strict";
}

type Calls = {
  [TKind in OwnedKind]: {
    create: (
      cluster: Cluster,
      call: CreateOptions & { namespace: string; body: ObjectOf[TKind] },
    ) => Promise<ObjectOf[TKind]>;
    read: (cluster: Cluster, call: { namespace: string; name: string }) => Promise<ObjectOf[TKind]>;
    delete: (cluster: Cluster, call: { namespace: string; name: string; body: V1DeleteOptions }) => Promise<unknown>;
  };
};

/** The calls for each kind. */
const CALLS: Calls = {
  StatefulSet: {
    create: ({ apps }, call) => apps.createNamespacedStatefulSet(call),
    read: ({ apps }, call) => apps.readNamespacedStatefulSet(call),
    delete: ({ apps }, call) => apps.deleteNamespacedStatefulSet(call),
  },
  Pod: {
    create: ({ core }, call) => core.createNamespacedPod(call),
    read: ({ core }, call) => core.readNamespacedPod(call),
    delete: ({ core }, call) => core.deleteNamespacedPod(call),
  },
  Service: {
    create: ({ core }, call) => core.createNamespacedService(call),
    read: ({ core }, call) => core.readNamespacedService(call),
    delete: ({ core }, call) => core.deleteNamespacedService(call),
  },
  Ingress: {
    create: ({ networking }, call) => networking.createNamespacedIngress(call),
    read: ({ networking }, call) => networking.readNamespacedIngress(call),
    delete: ({ networking }, call) => networking.deleteNamespacedIngress(call),
  },
  Secret: {
    create: ({ core }, call) => core.createNamespacedSecret(call),
    read: ({ core }, call) => core.readNamespacedSecret(call),
    delete: ({ core }, call) => core.deleteNamespacedSecret(call),
  },
};

/**
 * Creates an object of a teststack, or finds that an earlier call has created it. Returns its UID.
 *
 * @throws {OrchestratorError} `unavailable` when the cluster refuses, does not answer, or has an object of this name
 *   that belongs to somebody else (which is never touched)
 */
export async function ensureObject(cluster: Cluster, manifest: OwnedObject): Promise<string> {
  const { kind, namespace, name } = addressOf(manifest);
  try {
    return uidOf(await create(cluster, manifest).catch((error) => onConflict(error, read)));
  } catch (error) {
    throw toClusterError(error, `create ${kind} ${name}`);
  }

  async function read(): Promise<{ metadata?: V1ObjectMeta }> {
    const existing = await CALLS[kind].read(cluster, { namespace, name });
    const owner = existing.metadata?.labels?.[TESTSTACK_LABEL];
    if (owner === manifest.metadata?.labels?.[TESTSTACK_LABEL] && !existing.metadata?.deletionTimestamp)
      return existing;
    throw new Error(`${kind} ${namespace}/${name} exists and is not this teststack's (label: ${owner})`);
  }
}

/**
 * Has the cluster judge an object without creating it (server-side dry run, strict field validation).
 * Returns what it objects to, by the fields it names; undefined when it would take the object.
 *
 * @throws {OrchestratorError} `unavailable` when the cluster has no verdict: it does not answer, or may not now
 */
export async function findObjection(cluster: Cluster, manifest: OwnedObject): Promise<string | undefined> {
  const { kind, name } = addressOf(manifest);
  try {
    await create(cluster, manifest, { dryRun: "All", fieldValidation: "Strict" });
    return undefined;
  } catch (error) {
    const objection = describeObjection(error);
    if (objection === undefined) throw toClusterError(error, `try ${kind} ${name}`);
    return `the cluster does not take the ${kind}: ${objection}`;
  }
}

async function create(cluster: Cluster, manifest: OwnedObject, options: CreateOptions = {}): Promise<OwnedObject> {
  const { kind, namespace } = addressOf(manifest);
  const calls = CALLS[kind] as Calls["Pod"];
  return calls.create(cluster, { namespace, body: manifest as V1Pod, ...options });
}

/**
 * Deletes one object and what it owns, which Kubernetes removes before it (foreground).
 * Safe to repeat; an object with another UID is not the one that is meant and stays.
 *
 * @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer
 */
export async function deleteObject(
  cluster: Cluster,
  object: { kind: OwnedKind; namespace: string; name: string; uid: string },
): Promise<void> {
  const { kind, namespace, name, uid } = object;
  const body = { propagationPolicy: "Foreground", preconditions: { uid } };
  try {
    await CALLS[kind].delete(cluster, { namespace, name, body });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw toClusterError(error, `delete ${kind} ${name}`);
  }
}

/**
 * Whether an object of this name is there.
 *
 * @throws {OrchestratorError} `unavailable` when the cluster does not answer
 */
export async function hasObject(
  cluster: Cluster,
  object: { kind: OwnedKind; namespace: string; name: string },
): Promise<boolean> {
  const { kind, namespace, name } = object;
  const found = await findOrNothing<object>(`${kind} ${name}`, () => CALLS[kind].read(cluster, { namespace, name }));
  return found !== undefined;
}

/**
 * Whether there is a Pod of this name and UID that is not on its way out, by the API server itself and not by a watch.
 *
 * @throws {OrchestratorError} `unavailable`
 */
export async function hasLivingPod(
  cluster: Cluster,
  pod: { namespace: string; name: string; uid: string },
): Promise<boolean> {
  const { namespace, name, uid } = pod;
  const found = await findOrNothing(`Pod ${name}`, () => cluster.core.readNamespacedPod({ namespace, name }));
  return found?.metadata?.uid === uid && found.metadata.deletionTimestamp === undefined;
}

async function findOrNothing<TObject>(what: string, read: () => Promise<TObject>): Promise<TObject | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw toClusterError(error, `look for ${what}`);
  }
}

function addressOf({ kind, metadata }: OwnedObject): { kind: OwnedKind; namespace: string; name: string } {
  return { kind: kind as OwnedKind, namespace: metadata?.namespace ?? "", name: metadata?.name ?? "" };
}

async function onConflict<TResult>(error: unknown, resolve: () => Promise<TResult>): Promise<TResult> {
  if (isConflict(error)) return resolve();
  throw error;
}

function uidOf(object: { metadata?: V1ObjectMeta }): string {
  const uid = object.metadata?.uid;
  if (uid === undefined) throw new Error("the API server answered an object without a UID");
  return uid;
}
