import type { V1Ingress, V1ObjectMeta, V1Service, V1StatefulSet } from "@kubernetes/client-node";
import { TESTSTACK_LABEL } from "../teststack/index.ts";
import { isConflict, isNotFound, toClusterError } from "./api-errors.ts";
import type { Cluster } from "./cluster.ts";

interface ObjectOf {
  StatefulSet: V1StatefulSet;
  Service: V1Service;
  Ingress: V1Ingress;
}

type Calls = {
  [TKind in keyof ObjectOf]: {
    create: (cluster: Cluster, namespace: string, body: ObjectOf[TKind]) => Promise<ObjectOf[TKind]>;
    read: (cluster: Cluster, namespace: string, name: string) => Promise<ObjectOf[TKind]>;
  };
};

/** The kinds that a teststack is made of, with the calls for each. */
const CALLS: Calls = {
  StatefulSet: {
    create: ({ apps }, namespace, body) => apps.createNamespacedStatefulSet({ namespace, body }),
    read: ({ apps }, namespace, name) => apps.readNamespacedStatefulSet({ namespace, name }),
  },
  Service: {
    create: ({ core }, namespace, body) => core.createNamespacedService({ namespace, body }),
    read: ({ core }, namespace, name) => core.readNamespacedService({ namespace, name }),
  },
  Ingress: {
    create: ({ networking }, namespace, body) => networking.createNamespacedIngress({ namespace, body }),
    read: ({ networking }, namespace, name) => networking.readNamespacedIngress({ namespace, name }),
  },
};

/**
 * Creates an object of a teststack, or finds that an earlier call has created it. Returns its UID.
 *
 * @throws {OrchestratorError} `unavailable` when the cluster refuses, does not answer, or has an object of this name
 *   that belongs to somebody else (which is never touched)
 */
export async function ensureObject<TKind extends keyof ObjectOf>(
  cluster: Cluster,
  kind: TKind,
  manifest: ObjectOf[TKind],
): Promise<string> {
  const { namespace = "", name = "" } = manifest.metadata ?? {};
  const calls: Calls[TKind] = CALLS[kind];
  try {
    return uidOf(await calls.create(cluster, namespace, manifest).catch((error) => onConflict(error, read)));
  } catch (error) {
    throw toClusterError(error, `create ${kind} ${name}`);
  }

  async function read(): Promise<{ metadata?: V1ObjectMeta }> {
    const existing = await calls.read(cluster, namespace, name);
    const owner = existing.metadata?.labels?.[TESTSTACK_LABEL];
    if (owner === manifest.metadata?.labels?.[TESTSTACK_LABEL] && !existing.metadata?.deletionTimestamp)
      return existing;
    throw new Error(`${kind} ${namespace}/${name} exists and is not this teststack's (label: ${owner})`);
  }
}

/**
 * Deletes one object and what it owns, which Kubernetes removes before it (foreground).
 * Safe to repeat; an object with another UID is not the one that is meant and stays.
 *
 * @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer
 */
export async function deleteObject(
  cluster: Cluster,
  object: { kind: "StatefulSet" | "Service" | "Ingress" | "Pod"; namespace: string; name: string; uid: string },
): Promise<void> {
  const { kind, namespace, name, uid } = object;
  const call = { namespace, name, body: { propagationPolicy: "Foreground", preconditions: { uid } } };
  try {
    if (kind === "StatefulSet") await cluster.apps.deleteNamespacedStatefulSet(call);
    if (kind === "Service") await cluster.core.deleteNamespacedService(call);
    if (kind === "Ingress") await cluster.networking.deleteNamespacedIngress(call);
    if (kind === "Pod") await cluster.core.deleteNamespacedPod(call);
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw toClusterError(error, `delete ${kind} ${name}`);
  }
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
