import { OrchestratorError } from "@cactus/core";
import { newTeststackName } from "@cactus/core/teststack";
import {
  createRun,
  extendRun,
  findCertificate,
  findRun,
  type LiveRun,
  listLiveRuns,
  listRuns,
  type RunRecord,
  writeIntention,
} from "@cactus/db";
import { getTRPCErrorFromUnknown, type TRPCRouterRecord, tracked } from "@trpc/server";
import { z } from "zod";
import { toAdmissionLimits } from "../admission-limits.ts";
import { buildArtifactLink } from "../http/artifact-link.ts";
import { askStatus, judgeRun, toContact } from "../idle.ts";
import { fetchRunnerStatus } from "../runner-status.ts";
import { waitForStart } from "../start-outcome.ts";
import { type RunEventView, toRunEventView } from "./run-event-view.ts";
import { runIdleOutput, toRunIdleView } from "./run-idle-view.ts";
import { runOutput, runStatus, toRunView } from "./run-view.ts";
import { runnerStatusOutput, toRunnerStatusView } from "./runner-status-view.ts";
import { toTrpcError, type UserContext, userProcedure } from "./trpc.ts";

const runInput = z.object({ runId: z.uuid() });

const createInput = z.object({
  procedureId: z.string().min(1).max(64),
  certificateId: z.uuid(),
  /** The same key again gives the same run and creates nothing. */
  idempotencyKey: z.string().min(1).max(128).optional(),
});

const extendInput = runInput.extend({
  /** From now; never beyond what `RUN_EXTENSION_MAX_SECONDS` allows. */
  seconds: z.number().int().min(1).max(31_536_000),
});

const listInput = z.object({
  status: runStatus.optional(),
  limit: z.number().int().min(1).max(200).default(50),
  /** `nextCursor` of the page before. */
  cursor: z
    .string()
    .regex(/^\d{1,18}$/)
    .nullish(),
});

const followInput = runInput.extend({
  /** Id of the last event that is known; the next one is sent first. */
  lastEventId: z
    .string()
    .regex(/^\d{1,9}$/)
    .nullish(),
});

export const runsRoutes = {
  create: userProcedure
    .input(createInput)
    .output(runOutput)
    .mutation(async ({ ctx, input }) => {
      if (ctx.plans === undefined) throw new OrchestratorError("unavailable", "No cluster is configured.");
      const procedure = await ctx.procedures.find(input.procedureId);
      if (procedure === undefined) {
        throw new OrchestratorError(
          "not_found",
          `There is no test procedure ${input.procedureId}: see procedures.list.`,
        );
      }
      const { certificateId } = input;
      const certificate = await findCertificate(ctx.db, { certificateId, ownerId: ctx.caller.userId });
      if (certificate === undefined) throw notFound("certificate", certificateId);
      if (certificate.not_after <= ctx.now()) {
        throw new OrchestratorError("conflict", "The certificate has expired: issue a new one (certificates.issue).");
      }
      const csipAusVersion = procedure.targetVersions[0] ?? "";
      const problem = ctx.plans.problemOf(csipAusVersion);
      if (problem !== undefined) throw new OrchestratorError("unavailable", problem);
      const run = await createRun(ctx.db, {
        userId: ctx.caller.userId,
        certificateId,
        procedureId: procedure.id,
        procedureYaml: procedure.yaml,
        csipAusVersion,
        immediateStart: procedure.immediateStart,
        teststackName: newTeststackName(),
        workload: ctx.config.TESTSTACK_WORKLOAD,
        encryption: ctx.config.TESTSTACK_ENCRYPTION,
        idempotencyKey: input.idempotencyKey,
        requestId: ctx.requestId,
        limits: toAdmissionLimits(ctx.config),
      });
      if (run.procedure_id !== procedure.id || run.certificate_id !== certificateId) {
        throw new OrchestratorError(
          "conflict",
          "The idempotencyKey stands for a run with another procedure or certificate: take a new one.",
        );
      }
      return toRunView(run, ctx.config);
    }),

  get: userProcedure
    .input(runInput)
    .output(runOutput)
    .query(async ({ ctx, input }) => toRunView(await getRun(ctx, input), ctx.config)),

  list: userProcedure
    .input(listInput)
    .output(z.object({ runs: z.array(runOutput), nextCursor: z.string().nullable() }))
    .query(async ({ ctx, input }) => {
      const runs = await listRuns(ctx.db, {
        ownerId: ctx.caller.userId,
        limit: input.limit,
        ...(input.status && { status: input.status }),
        ...(input.cursor && { before: input.cursor }),
      });
      const nextCursor = runs.length === input.limit ? (runs.at(-1)?.number ?? null) : null;
      return { runs: runs.map((run) => toRunView(run, ctx.config)), nextCursor };
    }),

  follow: userProcedure.input(followInput).subscription(async ({ ctx, input, signal = NEVER }) => {
    // Asked before any event is read: a refusal is the first and only thing that the stream tells.
    const { id: runId } = await getRun(ctx, input);
    const stream = ctx.streams.open(ctx.caller.userId, signal);
    return sendEvents(ctx, { runId, after: Number(input.lastEventId ?? 0), signal }, stream);
  }),

  start: userProcedure
    .input(runInput)
    .output(runOutput)
    .mutation(async ({ ctx, input, signal = NEVER }) => {
      const run = await getRun(ctx, input);
      if (run.status !== "started") {
        if (run.status !== "initialised") throw notInState(run, "started");
        await intend(ctx, run, "start");
        await waitForStart(ctx, { runId: run.id, after: run.event_count, signal });
      }
      return toRunView(await getRun(ctx, input), ctx.config);
    }),

  finalise: userProcedure
    .input(runInput)
    .output(runOutput)
    .mutation(async ({ ctx, input }) => {
      await intend(ctx, await getRun(ctx, input), "finalise");
      return toRunView(await getRun(ctx, input), ctx.config);
    }),

  delete: userProcedure
    .input(runInput)
    .output(runOutput)
    .mutation(async ({ ctx, input }) => {
      const including = { ...input, withDeleted: true };
      await intend(ctx, await getRun(ctx, including), "delete");
      return toRunView(await getRun(ctx, including), ctx.config);
    }),

  idle: userProcedure
    .input(runInput)
    .output(runIdleOutput)
    .query(async ({ ctx, input }) => {
      const run = await getLiveRun(ctx, input);
      const judgement = judgeRun(ctx, run, toContact(await askStatus(ctx, run)));
      return toRunIdleView(judgement, ctx.config.IDLETEARDOWNTASK_ENABLE);
    }),

  extend: userProcedure
    .input(extendInput)
    .output(runIdleOutput)
    .mutation(async ({ ctx, input }) => {
      const run = await getLiveRun(ctx, input);
      const { IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS: lifetime, RUN_EXTENSION_MAX_SECONDS: most } = ctx.config;
      const latest = (run.admitted_at ?? run.created_at).getTime() + (lifetime + most) * 1000;
      const until = new Date(Math.min(latest, ctx.now().getTime() + input.seconds * 1000));
      await extendRun(ctx.db, { runId: run.id, until, ...actorOf(ctx, run) });
      const judgement = judgeRun(ctx, await getLiveRun(ctx, input), {
        answered: run.unreachable_since === null,
        lastInteractionAt: undefined,
      });
      return toRunIdleView(judgement, ctx.config.IDLETEARDOWNTASK_ENABLE);
    }),

  status: userProcedure
    .input(runInput)
    .output(runnerStatusOutput)
    .query(async ({ ctx, input }) => {
      const run = await getRun(ctx, input);
      const { status, live, at } = await fetchRunnerStatus(ctx, run);
      return toRunnerStatusView(status, { runId: run.id, live, at });
    }),

  artifactLink: userProcedure
    .input(runInput)
    .output(z.object({ path: z.string(), expiresAt: z.iso.datetime() }))
    .query(async ({ ctx, input }) => {
      const run = await getRun(ctx, input);
      if (run.artifact_kind === null) throw new OrchestratorError("not_found", "The run has no artifact (yet).");
      return buildArtifactLink({ runId: run.id, key: ctx.installation.link_key, now: ctx.now() });
    }),
} satisfies TRPCRouterRecord;

/** For calls that come without a signal. */
const NEVER = new AbortController().signal;

/** The caller's run; anybody's for an administrator. What does not exist and what is another's look the same. */
async function getRun(ctx: UserContext, input: { runId: string; withDeleted?: boolean }): Promise<RunRecord> {
  const ownerId = ctx.caller.permissions.has("admin:all") ? undefined : ctx.caller.userId;
  const run = await findRun(ctx.db, { ...input, ownerId });
  if (run === undefined) throw notFound("run", input.runId);
  return run;
}

/** @throws {OrchestratorError} `conflict` when its test is not (or no longer) under way */
async function getLiveRun(ctx: UserContext, input: { runId: string }): Promise<LiveRun> {
  const { status } = await getRun(ctx, input);
  const [run] = await listLiveRuns(ctx.db, input);
  if (run === undefined) {
    throw new OrchestratorError(
      "conflict",
      `The run is ${status}: idle time and lifetime count for a live test alone.`,
    );
  }
  return run;
}

async function* sendEvents(
  ctx: UserContext,
  input: { runId: string; after: number; signal: AbortSignal },
  stream: Disposable,
) {
  using _ = stream;
  const { begun } = ctx.departure;
  const signal = AbortSignal.any([input.signal, begun]);
  try {
    for await (const event of ctx.followers.follow(ctx.db, { ...input, signal })) {
      const view: RunEventView = toRunEventView(event);
      yield tracked(view.id, view);
    }
  } catch (error) {
    throw toTrpcError(getTRPCErrorFromUnknown(error));
  }
  // A stream that ends without a last word is taken up again by its client, with another replica.
  begun.throwIfAborted();
}

async function intend(ctx: UserContext, run: RunRecord, intention: "start" | "finalise" | "delete"): Promise<void> {
  await writeIntention(ctx.db, { runId: run.id, intention, requestId: ctx.requestId, ...actorOf(ctx, run) });
}

/** In whose name something is done to a run: its owner's, or an administrator's. */
function actorOf({ caller }: UserContext, run: { user_id: string }): { by: "client" | "admin"; actorId: string } {
  return { by: run.user_id === caller.userId ? "client" : "admin", actorId: caller.userId };
}

function notFound(what: string, id: string): OrchestratorError {
  return new OrchestratorError("not_found", `There is no ${what} ${id}.`);
}

function notInState(run: RunRecord, wanted: string): OrchestratorError {
  return new OrchestratorError("conflict", `The run is ${run.status}: only an initialised one can be ${wanted}.`);
}
