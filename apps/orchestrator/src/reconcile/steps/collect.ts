import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { hasTest, RunnerError, type RunnerStatus } from "@cactus/core/runner";
import { type Artifact, isDatabaseAway, type NewArtifact, type Run, storeArtifact } from "@cactus/db";
import { collectEvidence } from "../evidence.ts";
import { NotYet, type Outcome, type StepContext } from "../step-context.ts";

/** An archive up to this size, as most are, is held until it is stored: it cannot be had again. */
const HELD_BYTES = 2 * 1024 * 1024;
/** For so long; the database may be away meanwhile. */
const HOLD_MS = 60_000;
const STORE_AGAIN_MS = 500;

/**
 * Fetches the run's result and stores it before anything is deleted.
 *
 * The runner answers finalize once. So its status is stored before the call, and a mark with it; whoever comes after a
 * crash or a broken connection asks for the status first: a test that is still there can still be finalised (nothing was
 * lost), and where it has gone, what the runner and the cluster can still tell becomes a partial artifact.
 */
export async function collect(context: StepContext, ifSilent: "retry" | "keep-what-there-is"): Promise<void> {
  const { run, runner } = context;
  if (run === undefined) return;
  const status = await runner.status().catch((error: unknown) => {
    if (!(error instanceof RunnerError)) throw error;
    if (ifSilent === "retry")
      throw new NotYet("The runner does not answer; trying again to fetch the result.", { cause: error });
    return undefined;
  });
  if (status !== undefined && hasTest(status)) await collectWhole(context, run, status);
  else await collectParts(context, run, { runnerAnswers: status !== undefined });
}

async function collectWhole(context: StepContext, run: Run, status: RunnerStatus): Promise<void> {
  const { deps, runner, commit } = context;
  const now = deps.now();
  await commit({ run: { last_status: JSON.stringify(status), last_status_at: now, finalize_called_at: now } });
  try {
    const answer = await runner.finalise();
    await store(context, storeHeld, {
      runId: run.id,
      kind: "complete",
      fileName: answer.fileName,
      contentType: answer.contentType,
      content: answer.content,
      ...(answer.size !== undefined && { expectedSize: answer.size }),
    });
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    throw new NotYet("The runner's answer broke off; asking it what is left.", { cause: error });
  }
}

async function collectParts(
  context: StepContext,
  run: Run,
  { runnerAnswers }: { runnerAnswers: boolean },
): Promise<void> {
  const why = explain(run, runnerAnswers);
  const content = await collectEvidence(context, { run, why, runnerAnswers });
  const fileName = `partial_${run.procedure_id}_${run.id}.zip`;
  const artifact = { runId: run.id, kind: "partial", fileName, contentType: "application/zip", content } as const;
  const failure = run.status !== "failed" && { failure_reason: "result_incomplete", failure_message: why };
  await store(context, storeArtifact, artifact, { ...failure });
}

function explain(run: Run, runnerAnswers: boolean): string {
  if (run.failure_message !== null) return run.failure_message;
  if (!runnerAnswers) return "The runner did not answer any more, so its archive could not be fetched.";
  if (run.finalize_called_at !== null)
    return "The runner answers finalize only once, and that answer was lost on its way.";
  return "The runner had lost the test before it was finalised.";
}

/** The artifact, what it says of the run, and the event that tells of it: all of them or none. */
async function store(
  { deps, commit }: StepContext,
  how: typeof storeArtifact,
  artifact: NewArtifact,
  run: NonNullable<Outcome["run"]> = {},
): Promise<void> {
  await how(deps.db, {
    ...artifact,
    withIt: (trx, stored) => {
      const event = { kind: "collected", message: describe(stored), detail: toDetail(stored) };
      return commit({ run, events: [event] }, trx);
    },
  });
}

/** Stores what is small enough to be held as soon as the database is there; anything larger while it streams in, once. */
const storeHeld: typeof storeArtifact = async (db, artifact) => {
  if (artifact.expectedSize === undefined || artifact.expectedSize > HELD_BYTES) return storeArtifact(db, artifact);
  const held = await buffer(artifact.content);
  for (const until = performance.now() + HOLD_MS; ; ) {
    try {
      return await storeArtifact(db, { ...artifact, content: Readable.from([held]) });
    } catch (error) {
      if (!isDatabaseAway(error) || performance.now() > until) throw error;
      await sleep(STORE_AGAIN_MS);
    }
  }
};

function describe({ kind, size }: Artifact): string {
  const what = kind === "complete" ? "Result stored" : "Result incomplete: what there is was stored";
  return `${what} (${size} bytes).`;
}

function toDetail({ kind, size, sha256, file_name }: Artifact): Record<string, unknown> {
  return { kind, size: Number(size), sha256, fileName: file_name };
}
