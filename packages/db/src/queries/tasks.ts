import { type Kysely, sql } from "kysely";
import type { Database } from "../database.ts";

export interface TaskLease {
  name: string;
  owner: string;
}

/**
 * Takes a background task when it is due and nobody holds it. At most one replica gets it; a holder that
 * neither finishes nor renews loses it after `leaseSeconds`.
 */
export async function leaseTask(db: Kysely<Database>, input: TaskLease & { leaseSeconds: number }): Promise<boolean> {
  const leased = await sql`
    insert into task (name, next_due_at, lease_owner, lease_expires_at)
    values (${input.name}, now(), ${input.owner}, now() + make_interval(secs => ${input.leaseSeconds}))
    on conflict (name) do update set lease_owner = excluded.lease_owner, lease_expires_at = excluded.lease_expires_at
    where task.next_due_at <= now() and (task.lease_owner is null or task.lease_expires_at < now())
    returning name
  `.execute(db);
  return leased.rows.length === 1;
}

/** Gives the task back, due again after `repeatEverySeconds`. */
export async function finishTask(
  db: Kysely<Database>,
  input: TaskLease & { repeatEverySeconds: number },
): Promise<void> {
  await db
    .updateTable("task")
    .set({
      lease_owner: null,
      lease_expires_at: null,
      last_run_at: sql<Date>`now()`,
      next_due_at: sql<Date>`now() + make_interval(secs => ${input.repeatEverySeconds})`,
    })
    .where("name", "=", input.name)
    .where("lease_owner", "=", input.owner)
    .execute();
}
