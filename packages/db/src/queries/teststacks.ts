import { type Kysely, sql, type Transaction, type Updateable } from "kysely";
import type { Database } from "../database.ts";
import type { Run, RunStatus, RunTable } from "../schema/run.ts";
import type { Teststack, TeststackPhase, TeststackTable } from "../schema/teststack.ts";
import { appendEvent, type NewEvent } from "./events.ts";
import { isPresent } from "./presence.ts";

/** Channel on which the id of a teststack is told whenever the reconciler should look at it. */
export const TESTSTACK_CHANNEL = "cactus_teststack";

export interface Lease {
  teststackId: string;
  owner: string;
}

/** Makes a teststack due now and tells the reconcilers when the transaction commits. */
export async function wakeTeststack(db: Kysely<Database>, teststackId: string): Promise<void> {
  await sql`
    with woken as (
      update teststack set next_attempt_at = now() where id = ${teststackId} and phase <> 'gone' returning id
    )
    select pg_notify(${TESTSTACK_CHANNEL}, id::text) from woken
  `.execute(db);
}

/** A holder renews its lease at least this often while it works. */
export const RENEW_SECONDS = 1;

/**
 * Whether nobody holds the teststack: never leased, run out, or its holder is gone. A holder that is only slow, or whose
 * connection was lost and is coming back, keeps it. A renewal that is yet to come was written before the clock was set back.
 */
const IS_FREE = sql<boolean>`(
  lease_owner is null or lease_expires_at < now()
  or (
    lease_renewed_at not between now() - ${3 * RENEW_SECONDS} * interval '1 second' and now() + interval '1 second'
    and not ${isPresent(sql`lease_owner`)}
  )
)`;

/**
 * Takes the teststack for one reconciler, unless it is gone or another holds it.
 * A wake that comes while it is held is kept until {@link releaseTeststack}.
 */
export async function leaseTeststack(
  db: Kysely<Database>,
  input: Lease & { leaseSeconds: number },
): Promise<Teststack | undefined> {
  const { rows } = await sql<Teststack>`
    update teststack
    set lease_owner = ${input.owner}, next_attempt_at = null,
        lease_renewed_at = now(), lease_expires_at = now() + make_interval(secs => ${input.leaseSeconds})
    where id = (
      select id from teststack
      where id = ${input.teststackId} and phase <> 'gone' and ${IS_FREE}
      for update skip locked
    )
    returning *
  `.execute(db);
  return rows[0];
}

/** Makes a teststack due, of which another replica has the lease: when that one gives it back it is looked at once more. */
export async function keepWake(db: Kysely<Database>, teststackId: string): Promise<void> {
  await sql`
    update teststack set next_attempt_at = now()
    where id = ${teststackId} and phase <> 'gone' and (next_attempt_at is null or next_attempt_at > now())
  `.execute(db);
}

/** Holds on to a lease for longer. False when it has been lost. */
export async function renewLease(db: Kysely<Database>, input: Lease & { leaseSeconds: number }): Promise<boolean> {
  const { rows } = await sql`
    update teststack
    set lease_renewed_at = now(), lease_expires_at = now() + make_interval(secs => ${input.leaseSeconds})
    where id = ${input.teststackId} and lease_owner = ${input.owner}
    returning id
  `.execute(db);
  return rows.length === 1;
}

/** Gives the teststack back, to be looked at again at `nextAttemptAt`, or sooner when it was woken meanwhile. */
export async function releaseTeststack(
  db: Kysely<Database>,
  input: Lease & { nextAttemptAt: Date | null },
): Promise<void> {
  await sql`
    update teststack
    set lease_owner = null, lease_expires_at = null, lease_renewed_at = null,
        next_attempt_at = least(next_attempt_at, ${input.nextAttemptAt}::timestamptz)
    where id = ${input.teststackId} and lease_owner = ${input.owner}
  `.execute(db);
}

/** Teststacks that are due, or whose reconciler has died, the longest waiting first. */
export async function listDueTeststacks(db: Kysely<Database>, limit: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from teststack
    where phase <> 'gone' and (next_attempt_at <= now() or lease_owner is not null) and ${IS_FREE}
    order by next_attempt_at nulls first limit ${limit}
  `.execute(db);
  return rows.map((row) => row.id);
}

export interface Transition extends Lease {
  /** Version that was read; the write happens only when it still stands. */
  version: number;
  teststack?: Updateable<TeststackTable>;
  run?: { id: string; set: Updateable<RunTable> };
  events?: Omit<NewEvent, "runId">[];
}

/** Somebody else has the teststack now: whoever catches this lets go of it and changes nothing. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
}

/**
 * Writes one step of the reconciler, whole or not at all: teststack, run and the events that tell of it. Within a
 * transaction, together with what else that writes.
 *
 * @returns the new version
 * @throws {LeaseLostError} when the version has moved on or the lease is another's
 */
export async function commitTransition(db: Kysely<Database>, transition: Transition): Promise<number> {
  return inTransaction(db, async (trx) => {
    const moved = transition.teststack?.phase !== undefined;
    const updated = await trx
      .updateTable("teststack")
      .set({
        ...(moved && { phase_since: sql<Date>`now()`, attempts: 0 }),
        ...transition.teststack,
        version: transition.version + 1,
      })
      .where("id", "=", transition.teststackId)
      .where("version", "=", transition.version)
      .where("lease_owner", "=", transition.owner)
      .returning("version")
      .executeTakeFirst();
    if (updated === undefined) throw new LeaseLostError(`teststack ${transition.teststackId} is no longer ours`);
    if (transition.run !== undefined) {
      const set = neverBack(transition.run.set);
      if (Object.keys(set).length > 0) {
        await trx.updateTable("run").set(set).where("id", "=", transition.run.id).execute();
      }
      for (const event of transition.events ?? []) await appendEvent(trx, { ...event, runId: transition.run.id });
    }
    return updated.version;
  });
}

function inTransaction<TResult>(
  db: Kysely<Database> | Transaction<Database>,
  work: (trx: Kysely<Database>) => Promise<TResult>,
): Promise<TResult> {
  return db.isTransaction ? work(db) : db.transaction().execute(work);
}

/** A wish to finalise may come while a step is under way: the step's outcome must not undo it. */
function neverBack({ status, ...set }: Updateable<RunTable>): Updateable<RunTable> {
  if (status !== "initialised" && status !== "started") return { ...set, ...(status && { status }) };
  return { ...set, status: sql<RunStatus>`case when status = 'finalising' then status else ${status} end` as never };
}

export async function findTeststack(db: Kysely<Database>, teststackId: string): Promise<Teststack | undefined> {
  return db.selectFrom("teststack").selectAll().where("id", "=", teststackId).executeTakeFirst();
}

/** The run that a teststack serves now. */
export async function findRunOfTeststack(db: Kysely<Database>, teststackId: string): Promise<Run | undefined> {
  return db
    .selectFrom("run")
    .selectAll()
    .where("teststack_id", "=", teststackId)
    .where("ended_at", "is", null)
    .orderBy("playlist_order")
    .executeTakeFirst();
}

/** Everything that is not gone yet: what the cluster may hold objects of. */
export async function listTeststacks(
  db: Kysely<Database>,
): Promise<Pick<Teststack, "id" | "name" | "phase" | "created_at">[]> {
  return db
    .selectFrom("teststack")
    .select(["id", "name", "phase", "created_at"])
    .where("phase", "<>", "gone")
    .execute();
}

/** How many there are in each phase but `gone`. */
export async function countTeststacks(db: Kysely<Database>): Promise<{ phase: TeststackPhase; count: number }[]> {
  const rows = await db
    .selectFrom("teststack")
    .select(["phase", (query) => query.fn.countAll<string>().as("count")])
    .where("phase", "<>", "gone")
    .groupBy("phase")
    .execute();
  return rows.map(({ phase, count }) => ({ phase, count: Number(count) }));
}
