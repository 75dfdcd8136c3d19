import {
  type ContainerStatus,
  isSidecar,
  type Pod,
  type PodCondition,
  type PodSpec,
  type PodStatus,
} from "./pod-model.ts";
import type { PodAddress } from "./pod-network.ts";
import { findEnd } from "./pod-plan.ts";

export interface PodFacts {
  pod: Pod;
  /** What was last told of the Pod, if anything: the Pod itself may not show it yet. */
  told: PodStatus | undefined;
  find: (container: string) => ContainerStatus;
  /** One-shot init containers that are done. */
  completed: ReadonlySet<string>;
  hasBegun: boolean;
  /** Nothing will be started any more. */
  isOver: boolean;
  address: PodAddress | undefined;
  hostIP: string;
  startTime: string;
  now: string;
}

type Phase = "Pending" | "Running" | "Succeeded" | "Failed";

/** The part of a Pod's status that its node tells; conditions of others stay as they are. */
export function buildPodStatus(facts: PodFacts): PodStatus {
  const { pod, find, address, hostIP, startTime } = facts;
  const names = (containers: { name: string }[] = []): ContainerStatus[] => containers.map(({ name }) => find(name));
  const initContainerStatuses = names(pod.spec?.initContainers);
  return {
    phase: phaseOf(facts),
    conditions: buildConditions(facts),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    ...(address !== undefined && { podIP: address.ip, podIPs: [{ ip: address.ip }] }),
    startTime,
    ...(initContainerStatuses.length > 0 && { initContainerStatuses }),
    containerStatuses: names(pod.spec?.containers),
  };
}

/** Whether a Pod in this phase has ended for good. */
export function isFinal(phase: string | undefined): phase is "Succeeded" | "Failed" {
  return phase === "Succeeded" || phase === "Failed";
}

function phaseOf({ pod, find, isOver, hasBegun }: PodFacts): Phase {
  if (isFinal(pod.status?.phase)) return pod.status.phase;
  const { initContainers = [], containers = [] } = pod.spec ?? {};
  const isRunning = ({ state }: ContainerStatus): boolean => state?.running !== undefined;
  const statuses = containers.map(({ name }) => find(name));
  // A Pod has not ended before its sidecars have.
  if (isOver && ![...initContainers, ...containers].some(({ name }) => isRunning(find(name)))) {
    return hasBegun && statuses.every((status) => findEnd(status)?.exitCode === 0) ? "Succeeded" : "Failed";
  }
  const haveStarted = statuses.every((status) => isRunning(status) || findEnd(status) !== undefined);
  return hasBegun && haveStarted ? "Running" : "Pending";
}

function buildConditions(facts: PodFacts): PodCondition[] {
  const spec = facts.pod.spec ?? { containers: [] };
  const uninitialised = listUninitialised(spec, facts);
  const unready = listUnready(spec, facts);
  const phase = phaseOf(facts);
  const told = (label: string, names: string[]): string => `containers with ${label} status: [${names.join(" ")}]`;
  const isFinished = isFinal(phase);
  const whyUnready = isFinished
    ? { reason: phase === "Succeeded" ? "PodCompleted" : "PodFailed" }
    : { reason: "ContainersNotReady", message: told("unready", unready) };
  const readiness = unready.length === 0 && !isFinished ? undefined : whyUnready;
  const initialisation =
    uninitialised.length === 0
      ? undefined
      : { reason: "ContainersNotInitialized", message: told("incomplete", uninitialised) };
  const ours: [type: string, problem: { reason: string; message?: string } | undefined][] = [
    ["Initialized", initialisation],
    ["Ready", readiness],
    ["ContainersReady", readiness],
    ["PodScheduled", undefined],
  ];
  const current = facts.pod.status?.conditions ?? [];
  const known = [...(facts.told?.conditions ?? []), ...current];
  const others = current.filter(({ type }) => !ours.some(([name]) => name === type));
  return [...ours.map(([type, problem]) => buildCondition(type, problem, known, facts.now)), ...others];
}

function buildCondition(
  type: string,
  problem: { reason: string; message?: string } | undefined,
  known: PodCondition[],
  now: string,
): PodCondition {
  const status = problem === undefined ? "True" : "False";
  const before = known.find((condition) => condition.type === type);
  const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
  return { type, status, lastTransitionTime, ...problem };
}

function listUninitialised({ initContainers = [] }: PodSpec, { find, completed, hasBegun }: PodFacts): string[] {
  if (hasBegun) return [];
  return initContainers
    .filter((container) =>
      isSidecar(container) ? find(container.name).started !== true : !completed.has(container.name),
    )
    .map(({ name }) => name);
}

function listUnready({ containers, initContainers = [] }: PodSpec, { find }: PodFacts): string[] {
  return [...initContainers.filter(isSidecar), ...containers]
    .map(({ name }) => name)
    .filter((name) => !find(name).ready);
}
