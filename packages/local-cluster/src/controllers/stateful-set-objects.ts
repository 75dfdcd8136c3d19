import { isReady, type Pod, podName, REVISION_LABEL, type StatefulSet } from "./stateful-set-plan.ts";

/** The Pod of an ordinal, made from the template. */
export function buildPod(set: StatefulSet, ordinal: number, revision: string): object {
  const name = podName(set, ordinal);
  const { template, serviceName, volumeClaimTemplates = [] } = set.spec ?? {};
  // Claims are not served here; a Pod that mounts one says so by staying where it is.
  const claims = volumeClaimTemplates.map(({ metadata }) => ({
    name: metadata?.name,
    persistentVolumeClaim: { claimName: `${metadata?.name}-${name}` },
  }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...template?.metadata,
      name,
      namespace: set.metadata.namespace,
      labels: {
        ...template?.metadata?.labels,
        "apps.kubernetes.io/pod-index": String(ordinal),
        [REVISION_LABEL]: revision,
        "statefulset.kubernetes.io/pod-name": name,
      },
      ownerReferences: [ownerReference(set)],
    },
    spec: {
      ...template?.spec,
      ...(claims.length > 0 && { volumes: [...(template?.spec?.volumes ?? []), ...claims] }),
      hostname: name,
      ...(serviceName && { subdomain: serviceName }),
    },
  };
}

export function ownerReference({ apiVersion, kind, metadata }: StatefulSet): object {
  const { name, uid } = metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** The status that a StatefulSet has by its Pods. */
export function buildStatus(set: StatefulSet, pods: readonly Pod[], updateRevision: string, now: Date): object {
  const { replicas = 1, minReadySeconds = 0 } = set.spec ?? {};
  const ofRevision = (revision: string | undefined): number =>
    pods.filter(({ metadata }) => metadata.labels?.[REVISION_LABEL] === revision).length;
  const updatedReplicas = ofRevision(updateRevision);
  const isDone = updatedReplicas === replicas && pods.every(isReady);
  const before = set.status?.currentRevision;
  const currentRevision = isDone || before === undefined ? updateRevision : before;
  return {
    observedGeneration: set.metadata.generation,
    replicas: pods.length,
    readyReplicas: pods.filter(isReady).length || null,
    availableReplicas: pods.filter((pod) => availableIn(pod, minReadySeconds, now) <= 0).length,
    currentReplicas: ofRevision(currentRevision) || null,
    updatedReplicas: updatedReplicas || null,
    currentRevision,
    updateRevision,
    collisionCount: 0,
  };
}

/** Milliseconds until a Pod counts as available: ready for long enough. Infinity while it is not ready. */
export function availableIn(pod: Pod, minReadySeconds: number, now: Date): number {
  if (!isReady(pod)) return Number.POSITIVE_INFINITY;
  const since = pod.status?.conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
  return Date.parse(since ?? "") + minReadySeconds * 1000 - now.getTime();
}
