import { hasTest, RunnerError, type RunnerStatus } from "@cactus/core/runner";
import { type Artifact, type NewArtifact, type Run, storeArtifact } from "@cactus/db";
import { collectEvidence } from "../evidence.ts";
import { NotYet, type StepContext } from "../step-context.ts";

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
    await store(context, {
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
  await store(context, { runId: run.id, kind: "partial", fileName, contentType: "application/zip", content });
  if (run.status === "failed") return;
  await context.commit({ run: { failure_reason: "result_incomplete", failure_message: why } });
}

function explain(run: Run, runnerAnswers: boolean): string {
  if (run.failure_message !== null) return run.failure_message;
  if (!runnerAnswers) return "The runner did not answer any more, so its archive could not be fetched.";
  if (run.finalize_called_at !== null)
    return "The runner answers finalize only once, and that answer was lost on its way.";
  return "The runner had lost the test before it was finalised.";
}

async function store(context: StepContext, artifact: NewArtifact): Promise<void> {
  const stored = await storeArtifact(context.deps.db, artifact);
  await context.commit({ events: [{ kind: "collected", message: describe(stored), detail: toDetail(stored) }] });
}

function describe({ kind, size }: Artifact): string {
  const what = kind === "complete" ? "Result stored" : "Result incomplete: what there is was stored";
  return `${what} (${size} bytes).`;
}

function toDetail({ kind, size, sha256, file_name }: Artifact): Record<string, unknown> {
  return { kind, size: Number(size), sha256, fileName: file_name };
}
