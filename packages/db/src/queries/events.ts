import { type Kysely, sql } from "kysely";
import type { Database } from "../database.ts";
import type { RunEvent } from "../schema/event.ts";

export interface NewEvent {
  runId: string;
  kind: string;
  /** One sentence that a tester understands. */
  message: string;
  detail?: Record<string, unknown>;
}

/** Channel on which the id of a run is told whenever it has a new event. */
export const RUN_EVENT_CHANNEL = "cactus_run_event";

/**
 * Appends to a run's story and tells the followers when the transaction commits.
 * Taking the number locks the run's row, so numbers are without gaps and commit in their order.
 */
export async function appendEvent(db: Kysely<Database>, event: NewEvent): Promise<void> {
  const detail = JSON.stringify(event.detail ?? {});
  await sql`
    with numbered as (
      update run set event_count = event_count + 1 where id = ${event.runId}
      returning id, event_count, teststack_id
    ), added as (
      insert into event (run_id, number, teststack_id, kind, message, detail)
      select id, event_count, teststack_id, ${event.kind}, ${event.message}, ${detail}::jsonb from numbered
    )
    select pg_notify(${RUN_EVENT_CHANNEL}, id::text) from numbered
  `.execute(db);
}

/** Events of a run with a number above `after`, oldest first. */
export async function listEvents(
  db: Kysely<Database>,
  input: { runId: string; after: number; limit: number },
): Promise<RunEvent[]> {
  return db
    .selectFrom("event")
    .selectAll()
    .where("run_id", "=", input.runId)
    .where("number", ">", input.after)
    .orderBy("number")
    .limit(input.limit)
    .execute();
}
