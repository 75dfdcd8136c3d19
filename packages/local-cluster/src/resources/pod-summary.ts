import type * as model from "@kubernetes/client-node";
import type { Stored, Wire } from "../cluster-api.ts";

export interface PodSummary {
  /** `1/2` */
  ready: string;
  /** One word: `Running`, `Init:0/1`, `CrashLoopBackOff`, `Terminating`, … */
  status: string;
  restarts: number;
  lastRestart: string | undefined;
}

type ContainerStatus = Wire<model.V1ContainerStatus>;

/** A Pod in the few words that `kubectl get` has for it. */
export function summarisePod({ metadata, spec, status }: Stored<model.V1Pod>): PodSummary {
  const initContainers = spec?.initContainers ?? [];
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === "Always").map(({ name }) => name);
  const initStatuses = status?.initContainerStatuses ?? [];
  const running = [...initStatuses.filter(({ name }) => sidecars.includes(name)), ...(status?.containerStatuses ?? [])];
  const times = running.flatMap(({ lastState }) => lastState?.terminated?.finishedAt ?? []);
  const isReady = ({ ready, state }: ContainerStatus): boolean => ready && state?.running !== undefined;
  const initWord = initStatuses
    .map((container, index) => describeInit(container, sidecars, `${index}/${initContainers.length}`))
    .find((word) => word !== undefined);
  const word = initWord ?? describeContainers(status?.containerStatuses ?? []) ?? status?.reason ?? status?.phase;
  return {
    ready: `${running.filter(isReady).length}/${sidecars.length + (spec?.containers.length ?? 0)}`,
    status: metadata.deletionTimestamp === undefined ? (word ?? "Unknown") : "Terminating",
    restarts: running.reduce((sum, { restartCount }) => sum + restartCount, 0),
    lastRestart: times.sort((one, other) => one.localeCompare(other)).at(-1),
  };
}

/** Says what an init container keeps its Pod waiting for; nothing when it does not. */
function describeInit(container: ContainerStatus, sidecars: readonly string[], done: string): string | undefined {
  const { waiting, terminated } = container.state ?? {};
  if (terminated?.exitCode === 0 || (sidecars.includes(container.name) && container.started)) return undefined;
  if (terminated !== undefined) return `Init:${terminated.reason ?? `ExitCode:${terminated.exitCode}`}`;
  if (waiting?.reason !== undefined && waiting.reason !== "PodInitializing") return `Init:${waiting.reason}`;
  return `Init:${done}`;
}

/** Says what is the matter with the first container that has something; nothing when all run. */
function describeContainers(containers: readonly ContainerStatus[]): string | undefined {
  for (const { state } of containers) {
    if (state?.waiting?.reason) return state.waiting.reason;
    if (state?.terminated) return state.terminated.reason ?? `ExitCode:${state.terminated.exitCode}`;
  }
  return undefined;
}
