import { hasObject } from "@cactus/core/kubernetes";
import { deleteArtifactOfDeleted } from "@cactus/db";
import { NotYet, type Outcome, type StepContext } from "../step-context.ts";

/**
 * Writes down that nothing is left. The watch may be a moment behind: the owner itself is asked for, since nothing can
 * exist without it that is not being collected.
 */
export async function confirmGone({ deps, teststack, run, commit }: StepContext): Promise<void> {
  const namespace = deps.config.TEST_EXECUTION_NAMESPACE;
  const kind = teststack.workload === "pod" ? "Pod" : "StatefulSet";
  if (await hasObject(deps.cluster, { kind, namespace, name: teststack.name })) {
    throw new NotYet("The teststack is still there.");
  }
  const now = deps.now();
  const outcome: Outcome = {
    // The lease goes with it: nobody comes after one that dies now.
    teststack: { phase: "gone", gone_at: now, lease_owner: null, lease_expires_at: null, lease_renewed_at: null },
    run: { ended_at: now },
    events: [{ kind: "gone", message: "The teststack is removed.", detail: {} }],
  };
  await deps.db.transaction().execute(async (trx) => {
    await commit(outcome, trx);
    // Its user may have deleted it since the row was read.
    if (run !== undefined) await deleteArtifactOfDeleted(trx, run.id);
  });
}
