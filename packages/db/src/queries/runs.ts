import { type Kysely, sql, type Transaction } from "kysely";
import type { Database } from "../database.ts";
import type { Artifact } from "../schema/artifact.ts";
import type { Finaliser, Run, RunStatus } from "../schema/run.ts";
import type { Teststack } from "../schema/teststack.ts";
import { type AdmissionLimits, admitOrQueue } from "./admission.ts";
import { appendEvent } from "./events.ts";
import { wakeTeststack } from "./teststacks.ts";

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
export type ListedRun = Pick<
  RunRecord,
  | "id"
  | "number"
  | "procedure_id"
  | "status"
  | "finalised_by"
  | "initialised_at"
  | "all_criteria_met"
  | "failure_reason"
  | "failure_message"
  | "created_at"
  | "started_at"
  | "finalised_at"
  | JoinedColumn
>;

type JoinedColumn = Exclude<keyof RunRecord, keyof Run>;

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

/** What the reconciler needs of the run that a teststack serves now. */
export async function findRunOfTeststack(db: Kysely<Database>, teststackId: string): Promise<Run | undefined> {
  return db
    .selectFrom("run")
    .selectAll()
    .where("teststack_id", "=", teststackId)
    .where("ended_at", "is", null)
    .orderBy("playlist_order")
    .executeTakeFirst();
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

export type Intention = "start" | "finalise" | "delete";

/**
 * Writes what somebody wants of a run and wakes the reconciler. Writing the same once more changes nothing.
 * Which intentions a run's status allows is for the caller to check.
 */
export async function writeIntention(
  db: Kysely<Database>,
  input: { runId: string; intention: Intention; by: Finaliser; actorId: string | null; requestId?: string },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await lockTeststackOf(trx, input.runId);
    const written = await INTENTIONS[input.intention](trx, input);
    if (written === undefined) return;
    const message = INTENTION_MESSAGES[input.intention](input.by);
    const kind = `${input.intention}_requested`;
    await appendEvent(trx, { runId: input.runId, kind, message, detail: { by: input.by, actor: input.actorId } });
    if (written.teststack_id !== null) await wakeTeststack(trx, written.teststack_id);
  });
}

/** Whoever writes both locks the teststack before the run, as the reconciler does: the other way round is a deadlock. */
async function lockTeststackOf(trx: Transaction<Database>, runId: string): Promise<void> {
  await trx
    .selectFrom("teststack")
    .select("id")
    .where("id", "=", (query) => query.selectFrom("run").select("teststack_id").where("id", "=", runId))
    .forNoKeyUpdate()
    .execute();
}

type Writer = (
  trx: Transaction<Database>,
  input: { runId: string; by: Finaliser; requestId?: string },
) => Promise<{ teststack_id: string | null } | undefined>;

const INTENTIONS: Record<Intention, Writer> = {
  start: (trx, { runId, requestId }) =>
    trx
      .updateTable("run")
      .set({ start_requested_at: sql<Date>`now()`, start_refusal: null, ...by(requestId) })
      .where("id", "=", runId)
      .where("status", "=", "initialised")
      .where("start_requested_at", "is", null)
      .returning("teststack_id")
      .executeTakeFirst(),
  finalise: (trx, { runId, by: finaliser, requestId }) =>
    trx
      .updateTable("run")
      .set({
        finalise_requested_at: sql<Date>`now()`,
        finalise_requested_by: finaliser,
        status: "finalising",
        ...by(requestId),
      })
      .where("id", "=", runId)
      .where("status", "in", ["provisioning", "initialised", "started"])
      .where("finalise_requested_at", "is", null)
      .returning("teststack_id")
      .executeTakeFirst(),
  delete: async (trx, { runId, requestId }) => {
    const run = await trx
      .updateTable("run")
      .set({ deleted_at: sql<Date>`now()`, ...by(requestId) })
      .where("id", "=", runId)
      .where("deleted_at", "is", null)
      .returning(["teststack_id", "ended_at"])
      .executeTakeFirst();
    if (run?.ended_at != null) await deleteArtifact(trx, runId);
    return run;
  },
};

/** What is not wished in a request (but by the sweep, say) leaves the latest one's id as it is. */
function by(requestId: string | undefined): { request_id?: string } {
  return requestId === undefined ? {} : { request_id: requestId };
}

const INTENTION_MESSAGES: Record<Intention, (by: Finaliser) => string> = {
  start: () => "Start requested.",
  finalise: (by) => FINALISE_MESSAGES[by],
  delete: () => "Deletion requested.",
};

const FINALISE_MESSAGES: Record<Finaliser, string> = {
  client: "Finalise requested.",
  timeout: "No client has been heard of for the idle time: the run is finalised.",
  lifetime: "The longest life of a test run is over: it is finalised.",
  admin: "Finalise requested by an administrator.",
};

/** Removes a run's artifact with its bytes. */
export async function deleteArtifact(db: Kysely<Database>, runId: string): Promise<void> {
  await db.deleteFrom("artifact").where("run_id", "=", runId).execute();
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
