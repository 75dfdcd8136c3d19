import type { V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import type { PodCondition } from "../lifecycle/index.ts";
import { TLS_CONTAINER } from "./tls-sidecar.ts";

/** Restarts of one container while it starts that we put down to impatience (its database was not up yet, say). */
const TOLERATED_START_RESTARTS = 3;

/** Sidecars that pass on what others say, ours and those that service meshes inject: no test is lost with them. */
const PROXIES = new Set([TLS_CONTAINER, "istio-proxy", "linkerd-proxy"]);

/** A Pod as it was when it was found ready. */
export interface BoundPod {
  uid: string;
  /** What {@link countRestarts} said then. */
  restarts: number;
}

/**
 * Tells what a teststack's Pod is doing. A Pod of which anything restarted, was replaced or ended after it had been
 * ready has lost its test: the runner keeps it in memory.
 *
 * @param pods the Pods with the teststack's label, at most one of which is not being deleted
 * @param bound the Pod that was found ready; undefined while none has been
 */
export function assessPod(pods: V1Pod[], bound: BoundPod | undefined): PodCondition {
  const pod = pods.find((candidate) => candidate.metadata?.uid === bound?.uid) ?? pods[0];
  if (pod === undefined) {
    return bound === undefined ? { state: "absent" } : lost("pod_deleted", "The teststack's Pod was deleted.");
  }
  if (bound !== undefined && pod.metadata?.uid !== bound.uid) {
    return lost("pod_replaced", "The teststack's Pod was replaced by a new one, which does not know the test.");
  }
  if (pod.metadata?.deletionTimestamp !== undefined) {
    return bound === undefined
      ? { state: "starting", waitingFor: "an earlier Pod is being deleted" }
      : lost("pod_deleted", "The teststack's Pod was deleted.");
  }
  return assessEnded(pod) ?? assessContainers(pod, bound) ?? assessReadiness(pod);
}

function assessEnded({ status }: V1Pod): PodCondition | undefined {
  if (status?.phase !== "Failed" && status?.phase !== "Succeeded") return undefined;
  const why = [status.reason, status.message].filter(Boolean).join(": ");
  return lost("pod_failed", `The teststack's Pod has ended${why === "" ? "" : ` (${why})`}.`);
}

function assessContainers(pod: V1Pod, bound: BoundPod | undefined): PodCondition | undefined {
  const statuses = bound === undefined ? listLastingContainers(pod) : listTestHolders(pod);
  const stopped = statuses.find(({ state }) => state?.terminated !== undefined) ?? statuses.find(hasRestarted);
  if (stopped === undefined) return undefined;
  if (bound !== undefined && (countRestarts(pod) > bound.restarts || stopped.state?.terminated !== undefined)) {
    return lost("container_restarted", `Container ${stopped.name} ${describeEnd(stopped)}; the test was lost with it.`);
  }
  if (bound === undefined && stopped.restartCount > TOLERATED_START_RESTARTS) {
    const often = `${stopped.restartCount} times`;
    return lost(
      "container_cannot_start",
      `Container ${stopped.name} cannot start: it ${describeEnd(stopped)} ${often}.`,
    );
  }
  return undefined;
}

/** Restarts of all containers that are meant to run as long as the Pod, and with which a test is lost. */
export function countRestarts(pod: V1Pod): number {
  return listTestHolders(pod).reduce((sum, status) => sum + status.restartCount, 0);
}

/** Containers and sidecars, without the init containers that end by nature. */
function listLastingContainers(pod: V1Pod): V1ContainerStatus[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === "Always");
  const names = new Set(sidecars.map((container) => container.name));
  const sidecarStatuses = (pod.status?.initContainerStatuses ?? []).filter((status) => names.has(status.name));
  return [...(pod.status?.containerStatuses ?? []), ...sidecarStatuses];
}

function listTestHolders(pod: V1Pod): V1ContainerStatus[] {
  return listLastingContainers(pod).filter(({ name }) => !PROXIES.has(name));
}

function hasRestarted(status: V1ContainerStatus): boolean {
  return status.restartCount > 0;
}

function assessReadiness(pod: V1Pod): PodCondition {
  const ready = pod.status?.conditions?.find((condition) => condition.type === "Ready");
  return ready?.status === "True" ? { state: "ready" } : { state: "starting", waitingFor: describeWaiting(pod) };
}

/** The first thing that the Pod waits for, in a sentence's words. */
function describeWaiting(pod: V1Pod): string | undefined {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const waiting = statuses.find(({ state }) => isTrouble(state?.waiting?.reason));
  if (waiting !== undefined) {
    const { reason, message } = waiting.state?.waiting ?? {};
    return `container ${waiting.name}: ${[reason, message].filter(Boolean).join(", ")}`;
  }
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
  if (scheduled?.status === "False") return `no node for it: ${scheduled.message ?? scheduled.reason ?? ""}`;
  const unready = statuses.filter((status) => !status.ready && status.state?.terminated === undefined);
  return unready.length === 0 ? undefined : `starting ${unready.map((status) => status.name).join(", ")}`;
}

function isTrouble(reason: string | undefined): boolean {
  return reason !== undefined && reason !== "ContainerCreating" && reason !== "PodInitializing";
}

function describeEnd({ lastState, state }: V1ContainerStatus): string {
  const end = state?.terminated ?? lastState?.terminated;
  if (end === undefined) return "restarted";
  const how = end.signal === undefined || end.signal === 0 ? `exit code ${end.exitCode}` : `signal ${end.signal}`;
  return `ended (${[end.reason, how].filter(Boolean).join(", ")})`;
}

function lost(reason: Extract<PodCondition, { state: "lost" }>["reason"], message: string): PodCondition {
  return { state: "lost", reason, message };
}
