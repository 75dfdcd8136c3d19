import { hasLivingPod } from "@cactus/core/kubernetes";
import { NotYet, type StepContext } from "../step-context.ts";

/** What follows from a Pod that is not seen any more. */
const ABSENCES = new Set(["pod_deleted", "pod_replaced"]);

/**
 * Says that the run has failed, at once; its evidence is collected next. A watch may be behind that of the replica that
 * found the Pod ready: before a Pod is taken for gone, the API server is asked.
 */
export async function fail(context: StepContext, why: { reason: string; message: string }): Promise<void> {
  if (ABSENCES.has(why.reason) && (await isPodThere(context))) {
    throw new NotYet("Waiting for the cluster's news of the Pod.");
  }
  await context.commit({
    teststack: { phase: "collecting", desired: "absent", failure_reason: why.reason, failure_message: why.message },
    run: { status: "failed", failure_reason: why.reason, failure_message: why.message },
    events: [{ kind: "failed", message: why.message, detail: { reason: why.reason } }],
  });
}

async function isPodThere({ deps, teststack }: StepContext): Promise<boolean> {
  const { name, workload, pod_uid: uid } = teststack;
  if (uid === null) return false;
  const namespace = deps.config.TEST_EXECUTION_NAMESPACE;
  return hasLivingPod(deps.cluster, { namespace, name: workload === "pod" ? name : `${name}-0`, uid });
}
