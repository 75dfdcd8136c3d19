import { ImagePullError } from "./container-context.ts";
import { ContainerConfigError } from "./environment.ts";
import type { PodEvent } from "./event-recorder.ts";
import type { Container } from "./pod-model.ts";

/** Why a container does not run, in the kubelet's words, and the Events that say so. */
export interface Waiting {
  reason: string;
  message: string;
  events: Omit<PodEvent, "fieldPath">[];
}

/** Tells of a container that could not be created: the first time, and, where it differs, each further time. */
export function describeStartFailure(error: unknown, container: Container): { first: Waiting; again?: Waiting } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ImagePullError) return describePullFailure(message, container);
  const reason = error instanceof ContainerConfigError ? "CreateContainerConfigError" : "CreateContainerError";
  return { first: { reason, message, events: [warning("Failed", `Error: ${message}`)] } };
}

function describePullFailure(message: string, container: Container): { first: Waiting; again: Waiting } {
  const { image = "", imagePullPolicy } = container;
  if (imagePullPolicy === "Never") {
    const reason = "ErrImageNeverPull";
    const absent = `Container image "${image}" is not present with pull policy of Never`;
    const first = { reason, message: absent, events: [warning(reason, absent), warning("Failed", `Error: ${reason}`)] };
    return { first, again: { ...first, events: [] } };
  }
  const backOff = `Back-off pulling image "${image}"`;
  const events = [
    { type: "Normal", reason: "Pulling", message: `Pulling image "${image}"` } as const,
    warning("Failed", `Failed to pull image "${image}": ${message}`),
    warning("Failed", "Error: ErrImagePull"),
  ];
  const backOffEvents = [
    { type: "Normal", reason: "BackOff", message: backOff } as const,
    warning("Failed", "Error: ImagePullBackOff"),
  ];
  return {
    first: { reason: "ErrImagePull", message, events },
    again: {
      reason: "ImagePullBackOff",
      message: `${backOff}: ErrImagePull: ${message}`,
      events: [...events, ...backOffEvents],
    },
  };
}

/** Tells of a container that has ended and is to be started again as soon as its back-off is over. */
export function describeCrashLoop(container: string, pod: string, waitMs: number): Waiting {
  return {
    reason: "CrashLoopBackOff",
    message: `back-off ${waitMs / 1000}s restarting failed container=${container} pod=${pod}`,
    events: [warning("BackOff", `Back-off restarting failed container ${container} in pod ${pod}`)],
  };
}

function warning(reason: string, message: string): Waiting["events"][number] {
  return { type: "Warning", reason, message };
}
