import { deleteObject } from "@cactus/core/kubernetes";
import { listTeststacks } from "@cactus/db";
import type { ReconcilerDeps } from "../reconcile/step-context.ts";

type CollectorDeps = Pick<ReconcilerDeps, "cluster" | "config" | "db" | "logger" | "now" | "watch">;

/**
 * Makes a collector of objects that carry our labels and belong to no teststack that the database wants.
 * An object is deleted in the second pass that finds it so, never when younger than the grace period, never when its UID is
 * another than the one seen, and never without our labels (the watch sees no others).
 */
export function createOrphanCollector(deps: CollectorDeps): () => Promise<void> {
  let suspects = new Set<string>();

  return async () => {
    const { cluster, config, watch, logger } = deps;
    if (!watch.synced) return;
    const found = watch.teststackIds();
    // Asked after the objects were listed: a teststack's row is there before its first object.
    const wanted = new Set((await listTeststacks(deps.db)).map(({ id }) => id));
    const seen = new Set<string>();
    for (const object of found.filter((id) => !wanted.has(id)).flatMap((id) => watch.objects(id))) {
      const ageSeconds = (deps.now().getTime() - object.createdAt.getTime()) / 1000;
      if (object.deleting || ageSeconds < config.ORPHAN_GRACE_SECONDS) continue;
      seen.add(object.uid);
      if (!suspects.has(object.uid)) continue;
      logger.warn({ object }, "deleting an object that belongs to no teststack");
      await deleteObject(cluster, { namespace: config.TEST_EXECUTION_NAMESPACE, ...object });
    }
    suspects = seen;
  };
}
