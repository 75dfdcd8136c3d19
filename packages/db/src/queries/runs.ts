import { type Kysely, sql, type Transaction } from "kysely";
import type { Database } from "../database.ts";
import type { Artifact } from "../schema/artifact.ts";
import type { Run, RunStatus } from "../schema/run.ts";
import type { Teststack } from "../schema/teststack.ts";
import { type AdmissionLimits, admitOrQueue } from "./admission.ts";
import { appendEvent } from "./events.ts";

/** A run as its callers see it, with what other tables know of it. */
export type RunRecord = Omit<Run, "procedure_yaml" | "last_status"> & {
  teststack_name: string | null;
  teststack_encryption: Teststack["encryption"] | null;
  queue_place: number | null;
  artifact_kind: Artifact["kind"] | null;
  artifact_file_name: string | null;
  artifact_size: string | null;
  artifact_sha256: string | null;
};

/** What a list tells of a run. */
export type ListedRun = Pick<RunRecord, ListedColumn | Exclude<keyof RunRecord, keyof Run>>;

type ListedColumn = (typeof LISTED_COLUMNS)[number] extends `run.${infer TColumn extends keyof RunRecord}`
  ? TColumn
  : never;

/** Whose runs: an owner's, or anybody's (administrators). */
export interface Ownership {
  ownerId: string | undefined;
}

export interface NewRun {
  userId: string;
  certificateId: string;
  procedureId: string;
  procedureYaml: string;
  csipAusVersion: string;
  immediateStart: boolean;
  teststackName: string;
  workload: Teststack["workload"];
  encryption: Teststack["encryption"];
  idempotencyKey: string | undefined;
  requestId: string | undefined;
  limits: AdmissionLimits;
}

/**
 * Creates a run and the teststack that it wants, both as rows only, and lets it in or queues it.
 * Called again with the same idempotency key it creates nothing and returns the first call's run.
 *
 * @throws {QueueFullError}
 */
export async function createRun(db: Kysely<Database>, input: NewRun): Promise<RunRecord> {
  const id = await db.transaction().execute(async (trx) => {
    const earlier = await findByIdempotencyKey(trx, input);
    if (earlier !== undefined) return earlier;
    const teststack = await trx
      .insertInto("teststack")
      .values({
        user_id: input.userId,
        name: input.teststackName,
        workload: input.workload,
        encryption: input.encryption,
      })
      .returning("id")
      .executeTakeFirstOrThrow();
    const run = await trx
      .insertInto("run")
      .values({
        user_id: input.userId,
        teststack_id: teststack.id,
        certificate_id: input.certificateId,
        procedure_id: input.procedureId,
        procedure_yaml: input.procedureYaml,
        csip_aus_version: input.csipAusVersion,
        immediate_start: input.immediateStart,
        idempotency_key: input.idempotencyKey ?? null,
        request_id: input.requestId ?? null,
      })
      .returning("id")
      .executeTakeFirstOrThrow();
    const detail = { procedureId: input.procedureId, teststack: input.teststackName };
    await appendEvent(trx, { runId: run.id, kind: "requested", message: "Test run requested.", detail });
    await admitOrQueue(trx, { id: teststack.id, userId: input.userId }, input.limits);
    return run.id;
  });
  return getRun(db, { runId: id, ownerId: undefined });
}

/** The lock makes a second call with the same key wait for the first one's outcome. */
async function findByIdempotencyKey(trx: Transaction<Database>, input: NewRun): Promise<string | undefined> {
  if (input.idempotencyKey === undefined) return undefined;
  await sql`select pg_advisory_xact_lock(hashtextextended(${`${input.userId}/${input.idempotencyKey}`}, 0))`.execute(
    trx,
  );
  const run = await trx
    .selectFrom("run")
    .select("id")
    .where("user_id", "=", input.userId)
    .where("idempotency_key", "=", input.idempotencyKey)
    .executeTakeFirst();
  return run?.id;
}

export async function findRun(
  db: Kysely<Database>,
  input: Ownership & { runId: string; withDeleted?: boolean },
): Promise<RunRecord | undefined> {
  return selectRuns(db)
    .where("run.id", "=", input.runId)
    .$if(input.ownerId !== undefined, (query) => query.where("run.user_id", "=", input.ownerId ?? ""))
    .$if(input.withDeleted !== true, (query) => query.where("run.deleted_at", "is", null))
    .executeTakeFirst();
}

async function getRun(db: Kysely<Database>, input: Ownership & { runId: string }): Promise<RunRecord> {
  return selectRuns(db).where("run.id", "=", input.runId).executeTakeFirstOrThrow();
}

/** The newest first; `before` is the `number` of the last run of the page before. */
export async function listRuns(
  db: Kysely<Database>,
  input: Ownership & { status?: RunStatus; before?: string; limit: number },
): Promise<ListedRun[]> {
  return joinRuns(db)
    .select(LISTED_COLUMNS)
    .where("run.deleted_at", "is", null)
    .$if(input.ownerId !== undefined, (query) => query.where("run.user_id", "=", input.ownerId ?? ""))
    .$if(input.status !== undefined, (query) => query.where("run.status", "=", input.status ?? "failed"))
    .$if(input.before !== undefined, (query) => query.where("run.number", "<", input.before ?? ""))
    .orderBy("run.number", "desc")
    .limit(input.limit)
    .execute();
}

export async function getLastStatus(
  db: Kysely<Database>,
  runId: string,
): Promise<{ status: unknown; at: Date | null }> {
  const run = await db
    .selectFrom("run")
    .select(["last_status", "last_status_at"])
    .where("id", "=", runId)
    .executeTakeFirstOrThrow();
  return { status: run.last_status, at: run.last_status_at };
}

function selectRuns(db: Kysely<Database>) {
  return joinRuns(db).select(RUN_COLUMNS);
}

function joinRuns(db: Kysely<Database>) {
  return db
    .selectFrom("run")
    .leftJoin("teststack", "teststack.id", "run.teststack_id")
    .leftJoin("artifact", "artifact.run_id", "run.id")
    .select([
      "teststack.name as teststack_name",
      "teststack.encryption as teststack_encryption",
      "teststack.queue_place",
      "artifact.kind as artifact_kind",
      "artifact.file_name as artifact_file_name",
      "artifact.size as artifact_size",
      "artifact.sha256 as artifact_sha256",
    ]);
}

/** Each date in a row takes its time to be read: no more of them than are shown. */
const LISTED_COLUMNS = [
  "run.id",
  "run.number",
  "run.procedure_id",
  "run.status",
  "run.finalised_by",
  "run.initialised_at",
  "run.all_criteria_met",
  "run.failure_reason",
  "run.failure_message",
  "run.created_at",
  "run.started_at",
  "run.finalised_at",
] as const;

/** All of `run` but the two columns that can be large. */
const RUN_COLUMNS = [
  "run.id",
  "run.number",
  "run.user_id",
  "run.run_group_id",
  "run.teststack_id",
  "run.certificate_id",
  "run.procedure_id",
  "run.csip_aus_version",
  "run.immediate_start",
  "run.status",
  "run.playlist_id",
  "run.playlist_order",
  "run.idempotency_key",
  "run.start_requested_at",
  "run.finalise_requested_at",
  "run.finalise_requested_by",
  "run.deleted_at",
  "run.initialise_called_at",
  "run.finalize_called_at",
  "run.initialised_at",
  "run.started_at",
  "run.finalised_at",
  "run.ended_at",
  "run.finalised_by",
  "run.all_criteria_met",
  "run.start_refusal",
  "run.failure_reason",
  "run.failure_message",
  "run.last_status_at",
  "run.last_interaction_at",
  "run.unreachable_since",
  "run.loss",
  "run.extended_until",
  "run.warned_of",
  "run.request_id",
  "run.event_count",
  "run.created_at",
] as const;
