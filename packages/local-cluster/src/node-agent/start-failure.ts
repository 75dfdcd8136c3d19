import { ImagePullError } from "./container-context.ts";
import { ContainerConfigError } from "./environment.ts";
import type { PodEvent } from "./event-recorder.ts";
import type { Container } from "./pod-model.ts";

/** How a container that could not be started is told about. */
export interface StartFailure {
  waiting: { reason: string; message: string };
  /** Told instead while the next try is put off longer and longer; without it the next try comes soon. */
  backingOff?: { reason: string; message: string };
  events: Omit<PodEvent, "fieldPath">[];
}

/** Puts into the kubelet's words why a container was not even created. */
export function describeStartFailure(error: unknown, container: Container): StartFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ImagePullError) return describePullFailure(message, container);
  const reason = error instanceof ContainerConfigError ? "CreateContainerConfigError" : "CreateContainerError";
  return { waiting: { reason, message }, events: [warning("Failed", `Error: ${message}`)] };
}

function describePullFailure(message: string, { image = "", imagePullPolicy }: Container): StartFailure {
  if (imagePullPolicy === "Never") {
    const absent = `Container image "${image}" is not present with pull policy of Never`;
    const waiting = { reason: "ErrImageNeverPull", message: absent };
    return {
      waiting,
      backingOff: waiting,
      events: [warning("ErrImageNeverPull", absent), warning("Failed", "Error: ErrImageNeverPull")],
    };
  }
  const backOff = `Back-off pulling image "${image}"`;
  return {
    waiting: { reason: "ErrImagePull", message },
    backingOff: { reason: "ImagePullBackOff", message: `${backOff}: ErrImagePull: ${message}` },
    events: [
      { type: "Normal", reason: "Pulling", message: `Pulling image "${image}"` },
      warning("Failed", `Failed to pull image "${image}": ${message}`),
      warning("Failed", "Error: ErrImagePull"),
      { type: "Normal", reason: "BackOff", message: backOff },
      warning("Failed", "Error: ImagePullBackOff"),
    ],
  };
}

function warning(reason: string, message: string): Omit<PodEvent, "fieldPath"> {
  return { type: "Warning", reason, message };
}
