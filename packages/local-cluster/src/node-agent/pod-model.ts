import type * as model from "@kubernetes/client-node";
import type { Stored, Wire } from "../cluster-api.ts";

export type Pod = Stored<model.V1Pod>;
export type PodSpec = Wire<model.V1PodSpec>;
export type PodStatus = Wire<model.V1PodStatus>;
export type PodCondition = Wire<model.V1PodCondition>;
export type Container = Wire<model.V1Container>;
export type ContainerStatus = Wire<model.V1ContainerStatus>;
export type Terminated = Wire<model.V1ContainerStateTerminated>;
export type Probe = Wire<model.V1Probe>;
export type Volume = Wire<model.V1Volume>;

/** A sidecar is an init container that goes on beside the others. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}
