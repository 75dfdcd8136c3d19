import { ensureObject } from "@cactus/core/kubernetes";
import type { StepContext } from "../step-context.ts";

/** The owner first, so that nothing can be left behind; then what it owns. Three writes, four for an encrypted one. */
export async function create({ deps, teststack, run, commit }: StepContext): Promise<void> {
  const { cluster, plans } = deps;
  const plan = plans.plan({
    teststackId: teststack.id,
    name: teststack.name,
    workload: teststack.workload,
    encryption: teststack.encryption,
    csipAusVersion: run?.csip_aus_version ?? "",
  });
  const ownerUid = await ensureObject(cluster, plan.owner);
  const secrets = await plan.buildSecrets(ownerUid);
  await Promise.all([...secrets, ...plan.buildOwned(ownerUid)].map((object) => ensureObject(cluster, object)));
  await commit({
    teststack: {
      phase: "created",
      owner_uid: ownerUid,
      template: plan.templateName,
      template_hash: plan.templateHash,
    },
    events: [
      { kind: "created", message: "Teststack created; waiting for its Pod.", detail: { teststack: teststack.name } },
    ],
  });
}
