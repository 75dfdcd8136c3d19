import { type IdleVerdict, isWarningDue } from "@cactus/core/lifecycle";
import { hasTest } from "@cactus/core/runner";
import { type LiveRun, listLiveRuns, noteContact, noteLoss, warnOfEnd, writeIntention } from "@cactus/db";
import pLimit from "p-limit";
import type { Deps } from "../deps.ts";
import { askStatus, judgeRun, toContact } from "../idle.ts";

type SweepDeps = Pick<Deps, "metrics" | "db" | "runnerOf" | "now" | "config" | "logger">;

/** Runners asked at once: with 2 s for each, 100 silent ones among 1,000 cost a few seconds. */
const PARALLEL = 128;

/**
 * Asks every live runner how its test is doing, and finalises those runs that nobody uses any more.
 * A runner that has forgotten its test, or that has not answered for too long, is reported lost. One that does not answer
 * now holds up no other.
 */
export async function sweepLiveRuns(deps: SweepDeps): Promise<void> {
  const measured = deps.metrics.sweepSeconds.startTimer();
  const runs = await listLiveRuns(deps.db);
  const limit = pLimit(PARALLEL);
  const sweep = (run: LiveRun): Promise<void> =>
    sweepRun(deps, run).catch((error: unknown) => deps.logger.warn({ err: error }, "could not judge a run"));
  await limit.map(runs, sweep);
  measured();
}

async function sweepRun(deps: SweepDeps, run: LiveRun): Promise<void> {
  const status = await askStatus(deps, run);
  const lost = { runId: run.id, teststackId: run.teststack_id };
  if (status !== undefined && !hasTest(status)) return noteLoss(deps.db, { ...lost, loss: "runner_restarted" });
  const contact = toContact(status);
  await noteContact(deps.db, { runId: run.id, ...contact });
  const { verdict, idleSeconds } = judgeRun(deps, run, contact);
  const { rule, due } = verdict;
  if (rule === "unreachable") {
    return due ? noteLoss(deps.db, { ...lost, loss: "runner_unreachable" }) : undefined;
  }
  if (!deps.config.IDLETEARDOWNTASK_ENABLE) return;
  if (due) await writeIntention(deps.db, { runId: run.id, intention: "finalise", by: rule, actorId: null });
  else if (isWarningDue(deps.now(), verdict, idleSeconds)) await warn(deps, run, { ...verdict, rule });
}

const WHY = {
  timeout: "No client has been heard of for a while",
  lifetime: "The longest life of a test run is nearly over",
} as const;

async function warn(
  { db }: SweepDeps,
  run: LiveRun,
  { deadline, rule }: IdleVerdict & { rule: keyof typeof WHY },
): Promise<void> {
  const at = deadline.toISOString();
  const message = `${WHY[rule]}: the run will be finalised at ${at}. It can be kept for longer (runs.extend).`;
  await warnOfEnd(db, { runId: run.id, deadline, message, detail: { rule, deadline: at } });
}
