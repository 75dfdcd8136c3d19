import { deleteObject } from "@cactus/core/kubernetes";
import { findOrphans, type Orphan } from "../orphans.ts";
import type { ReconcilerDeps } from "../reconcile/step-context.ts";

/**
 * Makes a collector of orphans. One is deleted in the second pass that finds it, never when younger than the grace period,
 * never when its UID is another than the one seen, and never without our labels.
 */
export function createOrphanCollector(
  deps: Pick<ReconcilerDeps, "cluster" | "config" | "db" | "logger" | "now" | "watch">,
): () => Promise<void> {
  let suspects = new Set<string>();

  return async () => {
    const { cluster, config, logger } = deps;
    const orphans = await findOrphans(deps);
    const isKnown = ({ uid }: Orphan): boolean => suspects.has(uid);
    if (config.ORPHAN_COLLECTION === "report") {
      const news = orphans.filter((orphan) => !isKnown(orphan));
      if (news.length > 0)
        logger.warn({ orphans: news }, "objects belong to no teststack; they stay (ORPHAN_COLLECTION)");
    } else {
      for (const orphan of orphans.filter(isKnown)) {
        logger.warn({ orphan }, "deleting an object that belongs to no teststack");
        await deleteObject(cluster, { namespace: config.TEST_EXECUTION_NAMESPACE, ...orphan });
      }
    }
    suspects = new Set(orphans.map(({ uid }) => uid));
  };
}
