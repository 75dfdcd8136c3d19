import type { WatchedObject } from "@cactus/core/kubernetes";
import { findTeststack, listTeststacks, type Teststack } from "@cactus/db";
import type { ReconcilerDeps } from "./reconcile/step-context.ts";

/** An object that carries our labels and belongs to no teststack that the database wants. */
export interface Orphan extends WatchedObject {
  why: string;
  /** Since when it is one. */
  since: Date;
}

/**
 * Finds orphans that are old enough to be no news. Objects without our labels, or of another installation, are not even
 * seen.
 */
export async function findOrphans(deps: Pick<ReconcilerDeps, "config" | "db" | "now" | "watch">): Promise<Orphan[]> {
  const { config, watch, db, now } = deps;
  if (!watch.synced) return [];
  const found = watch.teststackIds();
  // Asked after the objects were listed: a teststack's row is there before its first object.
  const wanted = new Set((await listTeststacks(db)).map(({ id }) => id));
  const unwanted = found.filter((id) => !wanted.has(id));
  const orphans = await Promise.all(
    unwanted.map(async (id) => {
      const row = UUID.test(id) ? await findTeststack(db, id) : undefined;
      return watch.objects(id).map((object) => ({ ...object, ...explain(object, row) }));
    }),
  );
  const ageSeconds = ({ createdAt }: Orphan): number => (now().getTime() - createdAt.getTime()) / 1000;
  return orphans.flat().filter((orphan) => !orphan.deleting && ageSeconds(orphan) >= config.ORPHAN_GRACE_SECONDS);
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function explain({ createdAt }: WatchedObject, row: Teststack | undefined): Pick<Orphan, "why" | "since"> {
  if (row === undefined) return { why: "There never was a teststack of this id.", since: createdAt };
  const since = row.gone_at !== null && row.gone_at > createdAt ? row.gone_at : createdAt;
  return { why: "Its teststack is gone.", since };
}
