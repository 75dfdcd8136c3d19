import { type Kysely, sql } from "kysely";
import type { Database } from "../database.ts";
import { isPresent } from "./presence.ts";

export interface TaskLease {
  name: string;
  owner: string;
}

/** A holder whose connection was lost and is coming back keeps its task for so long. */
const ABSENCE_SECONDS = 3;

/**
 * Takes a background task when it is due and nobody holds it. At most one replica gets it; a holder that does not finish
 * loses it after `leaseSeconds`, one that is gone, within a few. Times that are further ahead than they can be were written
 * before the clock was set back, and do not count.
 */
export async function leaseTask(
  db: Kysely<Database>,
  input: TaskLease & { leaseSeconds: number; repeatEverySeconds: number },
): Promise<boolean> {
  const leased = await sql`
    insert into task (name, next_due_at, lease_owner, lease_expires_at)
    values (${input.name}, now(), ${input.owner}, now() + make_interval(secs => ${input.leaseSeconds}))
    on conflict (name) do update set lease_owner = excluded.lease_owner, lease_expires_at = excluded.lease_expires_at
    where task.next_due_at not between now() and now() + make_interval(secs => ${input.repeatEverySeconds}) and (
      task.lease_owner is null
      or task.lease_expires_at not between now() and now() + make_interval(secs => ${input.leaseSeconds})
      or (
        task.lease_expires_at < now() + make_interval(secs => ${input.leaseSeconds - ABSENCE_SECONDS})
        and not ${isPresent(sql`task.lease_owner`)}
      )
    )
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
