import { type IdlePolicy, type IdleVerdict, judgeIdle } from "@cactus/core/lifecycle";
import { hasTest, lastClientInteraction, parseProcedure } from "@cactus/core/runner";
import { type Finaliser, listLiveRuns, noteContact, noteLoss, writeIntention } from "@cactus/db";
import type { Deps } from "../deps.ts";

type SweepDeps = Pick<Deps, "db" | "runnerOf" | "now" | "config" | "logger">;
type LiveRun = Awaited<ReturnType<typeof listLiveRuns>>[number];

/** Runners asked at once: with 2 s for each, 100 silent ones among 1,000 cost a few seconds. */
const PARALLEL = 64;

/**
 * Asks every live runner how its test is doing, and finalises those runs that nobody uses any more.
 * A runner that has forgotten its test, or that has not answered for too long, is reported lost. One that does not answer
 * now holds up no other.
 */
export async function sweepLiveRuns(deps: SweepDeps): Promise<void> {
  const runs = await listLiveRuns(deps.db);
  const workers = Array.from({ length: Math.min(PARALLEL, runs.length) }, async () => {
    for (let run = runs.pop(); run !== undefined; run = runs.pop()) {
      await sweepRun(deps, run).catch((error: unknown) => deps.logger.warn({ err: error }, "could not judge a run"));
    }
  });
  await Promise.all(workers);
}

async function sweepRun(deps: SweepDeps, run: LiveRun): Promise<void> {
  const status = await deps
    .runnerOf(run.teststack_name)
    .status()
    .catch(() => undefined);
  const lost = { runId: run.id, teststackId: run.teststack_id };
  if (status !== undefined && !hasTest(status)) return noteLoss(deps.db, { ...lost, loss: "runner_restarted" });
  const lastInteractionAt = status && lastClientInteraction(status);
  const answered = status !== undefined;
  await noteContact(deps.db, { runId: run.id, answered, ...(lastInteractionAt && { lastInteractionAt }) });
  const verdict = judge(deps, run, { answered, lastInteractionAt });
  if (!verdict.due) return;
  if (verdict.rule === "unreachable") return noteLoss(deps.db, { ...lost, loss: "runner_unreachable" });
  await finalise(deps, run, verdict.rule);
}

function judge(
  { now, config }: SweepDeps,
  run: LiveRun,
  contact: { answered: boolean; lastInteractionAt: Date | undefined },
): IdleVerdict {
  const policy: IdlePolicy = {
    maxLifetimeSeconds: config.IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS,
    idleTimeoutSeconds: config.IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS,
    unreachableTimeoutSeconds: config.RUNNER_UNREACHABLE_TIMEOUT_SECONDS,
  };
  const signals = {
    createdAt: run.created_at,
    initialisedAt: run.started_at ?? run.initialised_at ?? run.created_at,
    lastInteractionAt: contact.lastInteractionAt ?? run.last_interaction_at ?? undefined,
    unreachableSince: contact.answered ? undefined : (run.unreachable_since ?? now()),
    longestPollSeconds: parseProcedure(run.procedure_id, run.procedure_yaml).longestPollSeconds,
  };
  return judgeIdle(now(), signals, policy);
}

async function finalise(
  { db, config }: SweepDeps,
  run: LiveRun,
  by: Extract<Finaliser, "timeout" | "lifetime">,
): Promise<void> {
  if (!config.IDLETEARDOWNTASK_ENABLE) return;
  await writeIntention(db, { runId: run.id, intention: "finalise", by, actorId: null });
}
