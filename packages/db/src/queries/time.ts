import { type Kysely, sql } from "kysely";
import type { Database } from "../database.ts";

/** The database's time, now. */
export async function readTime(db: Kysely<Database>): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db);
  return rows[0]?.now ?? new Date();
}
