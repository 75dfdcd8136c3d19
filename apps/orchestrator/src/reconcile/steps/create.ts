import { ensureObject } from "@cactus/core/kubernetes";
import { planOf } from "../plan-of.ts";
import type { StepContext } from "../step-context.ts";

/** The owner first, so that nothing can be left behind; then what it owns. Three writes, four for an encrypted one. */
export async function create(context: StepContext): Promise<void> {
  const { deps, teststack, commit } = context;
  const { cluster } = deps;
  const plan = planOf(context);
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
