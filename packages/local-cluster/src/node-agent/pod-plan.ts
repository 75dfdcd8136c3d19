import { type Container, type ContainerStatus, isSidecar, type PodSpec, type Terminated } from "./pod-model.ts";

/** How far a Pod has come since its processes were first started from nothing. */
export interface PodProgress {
  find: (container: string) => ContainerStatus;
  /** One-shot init containers that are done. */
  completed: ReadonlySet<string>;
  /** Whether its regular containers have been started; then no init container holds anything up any more. */
  hasBegun: boolean;
}

export interface PodPlan {
  /** Containers to start now, in this order (or as soon as their back-off allows). */
  start: string[];
  /** Nothing will be started any more: what still runs is to be ended. */
  isOver: boolean;
}

/** Decides which containers of a Pod are to be started, in Kubernetes' order: init containers one after the other, then the rest. */
export function planContainers(spec: PodSpec, progress: PodProgress): PodPlan {
  if (isOver(spec, progress)) return { start: [], isOver: true };
  const start: string[] = [];
  for (const container of spec.initContainers ?? []) {
    const { isDone, isToStart } = considerInit(container, progress);
    if (isToStart) start.push(container.name);
    if (!isDone && !progress.hasBegun) return { start, isOver: false };
  }
  for (const container of spec.containers) {
    if (willRun(spec, progress.find(container.name))) start.push(container.name);
  }
  return { start, isOver: false };
}

function considerInit(container: Container, progress: PodProgress): { isDone: boolean; isToStart: boolean } {
  const { state, started } = progress.find(container.name);
  const isRunning = state?.running !== undefined;
  if (isSidecar(container)) return { isDone: started === true, isToStart: !isRunning };
  const isDone = progress.hasBegun || progress.completed.has(container.name);
  return { isDone, isToStart: !isDone && !isRunning };
}

function isOver(spec: PodSpec, { find, completed, hasBegun }: PodProgress): boolean {
  const isNeverAgain = spec.restartPolicy === "Never";
  const hasFailedInit = (spec.initContainers ?? []).some((container) => {
    const failed =
      !isSidecar(container) && !completed.has(container.name) && findEnd(find(container.name)) !== undefined;
    return failed && isNeverAgain && !hasBegun;
  });
  return hasFailedInit || (hasBegun && spec.containers.every(({ name }) => isEnded(spec, find(name))));
}

/** Whether a container that does not run is to be started, for the first time or again. */
function willRun(spec: PodSpec, status: ContainerStatus): boolean {
  return status.state?.running === undefined && !isEnded(spec, status);
}

/** Whether a regular container has ended for good. */
function isEnded({ restartPolicy = "Always" }: PodSpec, status: ContainerStatus): boolean {
  const end = findEnd(status);
  if (end === undefined || restartPolicy === "Always") return false;
  return restartPolicy === "Never" || end.exitCode === 0;
}

/** How the newest instance of a container ended; undefined while it runs or when there was none. */
export function findEnd({ state, lastState }: ContainerStatus): Terminated | undefined {
  return state?.terminated ?? (state?.running === undefined ? lastState?.terminated : undefined);
}
