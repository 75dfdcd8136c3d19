import { type Kysely, sql, type Transaction } from "kysely";
import type { Database } from "../database.ts";
import type { Finaliser } from "../schema/run.ts";
import { deleteArtifactOfDeleted } from "./artifacts.ts";
import { appendEvent } from "./events.ts";
import { wakeTeststack } from "./teststacks.ts";

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
      .set({ start_requested_at: sql<Date>`now()`, start_refusal: null, ...wishedIn(requestId) })
      .where("id", "=", runId)
      .where("status", "=", "initialised")
      .where("start_requested_at", "is", null)
      .returning("teststack_id")
      .executeTakeFirst(),
  finalise: (trx, { runId, by, requestId }) =>
    trx
      .updateTable("run")
      .set({
        finalise_requested_at: sql<Date>`now()`,
        finalise_requested_by: by,
        status: "finalising",
        ...wishedIn(requestId),
      })
      .where("id", "=", runId)
      .where("status", "in", ["provisioning", "initialised", "started"])
      .where("finalise_requested_at", "is", null)
      // Its user may have extended it since it was judged.
      .$if(by === "timeout" || by === "lifetime", (query) =>
        query.where(sql<boolean>`coalesce(extended_until, now()) <= now()`),
      )
      .returning("teststack_id")
      .executeTakeFirst(),
  delete: async (trx, { runId, requestId }) => {
    const run = await trx
      .updateTable("run")
      .set({ deleted_at: sql<Date>`now()`, ...wishedIn(requestId) })
      .where("id", "=", runId)
      .where("deleted_at", "is", null)
      .returning(["teststack_id", "ended_at"])
      .executeTakeFirst();
    if (run?.ended_at != null) await deleteArtifactOfDeleted(trx, runId);
    return run;
  },
};

/** What is not wished in a request (but by the sweep, say) leaves the latest one's id as it is. */
function wishedIn(requestId: string | undefined): { request_id?: string } {
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
