/** How far a teststack is on its way in and out. */
export type Phase = "requested" | "created" | "ready" | "routed" | "live" | "collecting" | "deleting" | "gone";

/** What a teststack's Pod is doing, as far as the cluster has told us. */
export type PodCondition =
  /** The cluster has not been heard of since we began to watch. */
  | { state: "unknown" }
  | { state: "absent" }
  /** On its way; `waitingFor` says for what, in a sentence. */
  | { state: "starting"; waitingFor: string | undefined }
  | { state: "ready" }
  /** It cannot serve its test any more, or never will. */
  | { state: "lost"; reason: PodLoss; message: string };

export type PodLoss = "pod_deleted" | "pod_replaced" | "pod_failed" | "container_restarted" | "container_cannot_start";

/** All that the next step depends on. Time comes in as a value, so that every decision can be told by a table. */
export interface Situation {
  now: Date;
  teststack: {
    phase: Phase;
    /** Whether something makes a new Pod when one is lost. */
    replacesPod: boolean;
    phaseSince: Date;
    /** When it got its place among the live ones; undefined while it waits in the queue. */
    admittedAt: Date | undefined;
  };
  /** The run that the teststack serves; undefined when there is none (any more). */
  run: RunSituation | undefined;
  pod: PodCondition;
  /**
   * What there is of objects with the teststack's label: `incomplete` when the owner is there and something that it
   * should own is not, `deleting` when all of it is on its way out.
   */
  objects: "unknown" | "none" | "some" | "incomplete" | "deleting";
  limits: Limits;
}

export interface RunSituation {
  status: "provisioning" | "initialised" | "started" | "finalising" | "finalised" | "failed" | "skipped";
  startRequested: boolean;
  finaliseRequested: boolean;
  deleted: boolean;
  /** The runner was told of the test at some time, so it may hold a result. */
  initialiseCalled: boolean;
  hasArtifact: boolean;
  /** What a sweep or a call has found out about its runner. */
  loss: RunnerLoss | undefined;
}

export type RunnerLoss = "runner_restarted" | "runner_unreachable";

export interface Limits {
  /** From the admission until the test is initialised. */
  spawnTimeoutSeconds: number;
  /** From the wish to finalise until what can be had is kept as a partial artifact. */
  collectTimeoutSeconds: number;
}
