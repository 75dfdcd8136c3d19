import { createHash } from "node:crypto";
import type * as model from "@kubernetes/client-node";
import type { Stored } from "../cluster-api.ts";

export type StatefulSet = Stored<model.V1StatefulSet>;
export type Pod = Stored<model.V1Pod>;

export type Step =
  | { action: "create"; ordinal: number }
  /** `recreate` for one that has failed: it comes again. */
  | { action: "delete"; pod: Pod; recreate?: boolean };

/** Letters of hashes in names: those of generated names. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const HASH_LENGTH = 10;

export const REVISION_LABEL = "controller-revision-hash";

/** The name of a StatefulSet's Pod. */
export function podName(set: StatefulSet, ordinal: number): string {
  return `${set.metadata.name}-${ordinal}`;
}

/** Names the present state of a StatefulSet's template, as the label of its Pods tells it. */
export function revisionOf({ metadata, spec }: StatefulSet): string {
  const digest = createHash("sha256").update(JSON.stringify(spec?.template)).digest();
  const hash = [...digest.subarray(0, HASH_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
  return `${metadata.name}-${hash}`;
}

/**
 * What is to be done next about the Pods of a StatefulSet: in order of their ordinals, and one at a time unless they are
 * managed in parallel; first those that are missing or have failed, then those too many, then those of an old template.
 */
export function planSteps(set: StatefulSet, pods: readonly Pod[], revision: string): Step[] {
  const { replicas = 1, podManagementPolicy } = set.spec ?? {};
  const parallel = podManagementPolicy === "Parallel";
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(pod), pod]));
  const steps: Step[] = [];
  for (let ordinal = 0; ordinal < replicas; ordinal += 1) {
    const pod = byOrdinal.get(ordinal);
    const step = stepToward(pod, ordinal);
    if (step !== undefined) steps.push(step);
    if (!parallel && (step !== undefined || !isReady(pod))) return steps;
  }
  const surplus = pods
    .filter((pod) => ordinalOf(pod) >= replicas)
    .sort((one, other) => ordinalOf(other) - ordinalOf(one));
  if (surplus.length === 0) return steps.length > 0 ? steps : planUpdate(set, byOrdinal, revision);
  const next = (parallel ? surplus : surplus.slice(0, 1)).filter(isStaying);
  return [...steps, ...next.map((pod): Step => ({ action: "delete", pod }))];
}

/** From the last to the first: replaces one of an old template, then waits until it is ready again. */
function planUpdate({ spec }: StatefulSet, byOrdinal: ReadonlyMap<number, Pod>, revision: string): Step[] {
  const { replicas = 1, updateStrategy } = spec ?? {};
  if (updateStrategy?.type === "OnDelete") return [];
  const partition = updateStrategy?.rollingUpdate?.partition ?? 0;
  for (let ordinal = replicas - 1; ordinal >= partition; ordinal -= 1) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || !isStaying(pod)) return [];
    if (pod.metadata.labels?.[REVISION_LABEL] !== revision) return [{ action: "delete", pod }];
    if (!isReady(pod)) return [];
  }
  return [];
}

function stepToward(pod: Pod | undefined, ordinal: number): Step | undefined {
  if (pod === undefined) return { action: "create", ordinal };
  const hasEnded = pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded";
  return hasEnded && isStaying(pod) ? { action: "delete", pod, recreate: true } : undefined;
}

export function isReady(pod: Pod | undefined): boolean {
  const conditions = pod?.status?.conditions ?? [];
  return isStaying(pod) && conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

function isStaying(pod: Pod | undefined): boolean {
  return pod?.metadata.deletionTimestamp === undefined;
}

function ordinalOf({ metadata }: Pod): number {
  return Number(/-(\d+)$/.exec(metadata.name ?? "")?.[1] ?? Number.NaN);
}
