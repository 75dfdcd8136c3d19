import { setTimeout as sleep } from "node:timers/promises";
import { ensureObject } from "@cactus/core/kubernetes";
import { planOf } from "../plan-of.ts";
import type { StepContext } from "../step-context.ts";

/** The watch hears of what was made within moments; beyond this it is looked at again in its own time. */
const NEWS_MS = 2_000;

/** Makes again what somebody else has deleted of what leads to the instance; its test goes on meanwhile. */
export async function repair(context: StepContext): Promise<void> {
  const { deps, teststack, commit } = context;
  const { cluster, watch, metrics } = deps;
  const { id: teststackId, owner_uid: ownerUid } = teststack;
  if (ownerUid === null) return;
  const isThere = (kind: string | undefined): boolean =>
    watch.objects(teststackId).some((object) => object.kind === kind);
  const missing = planOf(context)
    .buildOwned(ownerUid)
    .filter(({ kind }) => !isThere(kind));
  for (const object of missing) await ensureObject(cluster, object);
  metrics.routeRepairs.inc();
  const kinds = missing.map(({ kind }) => kind);
  await commit({
    events: [{ kind: "repaired", message: `${kinds.join(" and ")} had been deleted: made again.`, detail: { kinds } }],
  });
  for (const end = performance.now() + NEWS_MS; performance.now() < end && !kinds.every(isThere); ) await sleep(20);
}
