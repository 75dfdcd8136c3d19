import { randomBytes, randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import type { Database } from "../database.ts";
import type { Installation } from "../schema/installation.ts";

/** The identity of this installation; made once, the same for all replicas. */
export async function ensureInstallation(db: Kysely<Database>): Promise<Installation> {
  await db
    .insertInto("installation")
    .values({ id: randomUUID().slice(0, 8), link_key: randomBytes(32) })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return db.selectFrom("installation").selectAll().executeTakeFirstOrThrow();
}
