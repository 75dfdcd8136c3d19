import { type RawBuilder, sql } from "kysely";

/** Whether a replica is there, as its advisory lock (see `listen`) tells within moments of its end. */
export function isPresent(replica: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql`exists (
    select from pg_locks
    where locktype = 'advisory' and granted
      and database = (select oid from pg_database where datname = current_database())
      and (classid::bigint << 32 | objid::bigint) = hashtextextended(${replica}, 0)
  )`;
}
