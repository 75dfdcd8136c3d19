import { OrchestratorError } from "@cactus/core";
import { hasTest, type RunnerClient, RunnerError, type RunnerStatus, runnerStatusSchema } from "@cactus/core/runner";
import { getLastStatus, noteLoss, type RunRecord } from "@cactus/db";
import type { Deps } from "./deps.ts";

/**
 * What the runner says of a run's test: asked now while the test is live, else the last that was kept.
 *
 * @throws {OrchestratorError} `conflict` before there is a test, `unavailable` when the runner does not answer
 */
export async function fetchRunnerStatus(
  deps: Pick<Deps, "db" | "runnerOf" | "now">,
  run: RunRecord,
): Promise<{ status: RunnerStatus; live: boolean; at: Date }> {
  const isLive = run.status === "initialised" || run.status === "started";
  if (isLive && run.teststack_name !== null && run.teststack_id !== null) {
    const encryption = run.teststack_encryption ?? "none";
    const status = await askRunner(deps.runnerOf({ name: run.teststack_name, encryption }));
    if (hasTest(status)) return { status, live: true, at: deps.now() };
    await noteLoss(deps.db, { runId: run.id, teststackId: run.teststack_id, loss: "runner_restarted" });
  }
  const last = await getLastStatus(deps.db, run.id);
  if (last.at === null) {
    throw new OrchestratorError("conflict", `The run is ${run.status}: its runner has told nothing of the test (yet).`);
  }
  return { status: runnerStatusSchema.parse(last.status), live: false, at: last.at };
}

async function askRunner(runner: RunnerClient): Promise<RunnerStatus> {
  try {
    return await runner.status();
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    throw new OrchestratorError("unavailable", `${error.message} Try again in a moment.`, { cause: error });
  }
}
