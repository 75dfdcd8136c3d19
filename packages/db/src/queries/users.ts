import type { Kysely } from "kysely";
import type { Database } from "../database.ts";
import type { AppUser } from "../schema/app-user.ts";

/** The user with this issuer and subject; made at the first call. */
export async function ensureUser(
  db: Kysely<Database>,
  input: { issuer: string; subject: string; name?: string },
): Promise<AppUser> {
  const found = await db
    .selectFrom("app_user")
    .selectAll()
    .where("issuer", "=", input.issuer)
    .where("subject", "=", input.subject)
    .executeTakeFirst();
  if (found !== undefined) return found;
  return db
    .insertInto("app_user")
    .values({ issuer: input.issuer, subject: input.subject, name: input.name ?? null })
    .onConflict((conflict) => conflict.columns(["issuer", "subject"]).doUpdateSet({ issuer: input.issuer }))
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function getUser(db: Kysely<Database>, userId: string): Promise<AppUser> {
  return db.selectFrom("app_user").selectAll().where("id", "=", userId).executeTakeFirstOrThrow();
}
