import type { ObjectWatch } from "@cactus/core/kubernetes";
import type { Limits, RunSituation, Situation } from "@cactus/core/lifecycle";
import { assessPod } from "@cactus/core/teststack";
import type { Run, Teststack } from "@cactus/db";

export interface Observation {
  teststack: Teststack;
  run: Run | undefined;
  hasArtifact: boolean;
  watch: ObjectWatch;
  now: Date;
  limits: Limits;
}

/** Puts together what the database wants and what the cluster has, for the next step to be decided. */
export function toSituation({ teststack, run, hasArtifact, watch, now, limits }: Observation): Situation {
  return {
    now,
    teststack: {
      phase: teststack.phase,
      replacesPod: teststack.workload === "statefulset",
      phaseSince: teststack.phase_since,
      admittedAt: teststack.admitted_at ?? undefined,
    },
    run: run && toRunSituation(run, hasArtifact),
    pod: watch.synced ? assessPod(watch.pods(teststack.id), boundPod(teststack)) : { state: "unknown" },
    objects: assessObjects(teststack.id, watch),
    limits,
  };
}

function toRunSituation(run: Run, hasArtifact: boolean): RunSituation {
  return {
    status: run.status,
    startRequested: run.start_requested_at !== null,
    finaliseRequested: run.finalise_requested_at !== null,
    deleted: run.deleted_at !== null,
    initialiseCalled: run.initialise_called_at !== null,
    hasArtifact,
    loss: run.loss ?? undefined,
  };
}

function boundPod({ pod_uid, pod_restarts }: Teststack) {
  return pod_uid === null ? undefined : { uid: pod_uid, restarts: pod_restarts ?? 0 };
}

/** What leads to an instance: without it nobody reaches the Pod, which goes on all the same. */
const OWNED_KINDS = ["Service", "Ingress"] as const;

function assessObjects(teststackId: string, watch: ObjectWatch): Situation["objects"] {
  if (!watch.synced) return "unknown";
  const objects = watch.objects(teststackId);
  if (objects.length === 0) return "none";
  const owners = objects.filter((object) => !object.owned);
  // What it owns goes with it, each in its turn.
  if ((owners.length > 0 ? owners : objects).every((object) => object.deleting)) return "deleting";
  const hasOwner = owners.some((object) => !object.deleting);
  const kinds = new Set(objects.map((object) => object.kind));
  return hasOwner && OWNED_KINDS.some((kind) => !kinds.has(kind)) ? "incomplete" : "some";
}
