import { type Kysely, sql } from "kysely";
import type { Database } from "../database.ts";
import type { Finaliser, Run, RunStatus } from "../schema/run.ts";
import type { Teststack } from "../schema/teststack.ts";
import { appendEvent } from "./events.ts";
import { wakeTeststack } from "./teststacks.ts";

export type LiveRun = Run & {
  teststack_name: string;
  teststack_id: string;
  admitted_at: Date | null;
  teststack_encryption: Teststack["encryption"];
};

/** Nobody has asked for the end of the test yet. */
const UNDER_WAY: RunStatus[] = ["initialised", "started"];

/** Runs whose runner should be answering: those between initialise and finalise; all of them, or one. */
export async function listLiveRuns(db: Kysely<Database>, input: { runId?: string } = {}): Promise<LiveRun[]> {
  const rows = await db
    .selectFrom("run")
    .innerJoin("teststack", "teststack.id", "run.teststack_id")
    .selectAll("run")
    .select([
      "teststack.name as teststack_name",
      "teststack.encryption as teststack_encryption",
      "teststack.admitted_at",
    ])
    .where("run.status", "in", UNDER_WAY)
    .where("teststack.phase", "=", "live")
    .$if(input.runId !== undefined, (query) => query.where("run.id", "=", input.runId ?? ""))
    .execute();
  return rows.flatMap((row) => (row.teststack_id === null ? [] : [{ ...row, teststack_id: row.teststack_id }]));
}

/**
 * Notes that a live run's runner has lost the test, and wakes the reconciler, which draws the consequence. One that is
 * finalised has no test either: that is no loss.
 */
export async function noteLoss(
  db: Kysely<Database>,
  input: { runId: string; teststackId: string; loss: NonNullable<Run["loss"]> },
): Promise<void> {
  await db
    .updateTable("run")
    .set({ loss: input.loss })
    .where("id", "=", input.runId)
    .where("status", "in", UNDER_WAY)
    .where("loss", "is", null)
    .execute();
  await wakeTeststack(db, input.teststackId);
}

/** Notes what a sweep found out about a live run's runner. */
export async function noteContact(
  db: Kysely<Database>,
  input: { runId: string; answered: boolean; lastInteractionAt: Date | undefined },
): Promise<void> {
  await db
    .updateTable("run")
    .set(
      input.answered
        ? { unreachable_since: null, ...(input.lastInteractionAt && { last_interaction_at: input.lastInteractionAt }) }
        : { unreachable_since: sql<Date>`coalesce(unreachable_since, now())` },
    )
    .where("id", "=", input.runId)
    .execute();
}

/** Keeps a live run until then at least, idle or not. */
export async function extendRun(
  db: Kysely<Database>,
  input: { runId: string; until: Date; by: Finaliser; actorId: string },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const extended = await trx
      .updateTable("run")
      .set({ extended_until: input.until })
      .where("id", "=", input.runId)
      .where("status", "in", UNDER_WAY)
      .where((where) => where.or([where("extended_until", "is", null), where("extended_until", "<", input.until)]))
      .returning("id")
      .executeTakeFirst();
    if (extended === undefined) return;
    const detail = { until: input.until.toISOString(), by: input.by, actor: input.actorId };
    await appendEvent(trx, { runId: input.runId, kind: "extended", message: "The run is kept for longer.", detail });
  });
}

/** Warns once of each time at which a run is going to end. */
export async function warnOfEnd(
  db: Kysely<Database>,
  input: { runId: string; deadline: Date; message: string; detail: Record<string, unknown> },
): Promise<void> {
  const { runId, deadline, message, detail } = input;
  await db.transaction().execute(async (trx) => {
    const warned = await trx
      .updateTable("run")
      .set({ warned_of: deadline })
      .where("id", "=", runId)
      .where((where) => where.or([where("warned_of", "is", null), where("warned_of", "<>", deadline)]))
      .returning("id")
      .executeTakeFirst();
    if (warned !== undefined) await appendEvent(trx, { runId, kind: "ending_soon", message, detail });
  });
}
