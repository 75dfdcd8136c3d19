import { OrchestratorError } from "@cactus/core";
import { findRun } from "@cactus/db";
import type { Deps } from "./deps.ts";

/** The runner takes at most 30 s for a start, and the reconciler may have to try again. */
const LONGEST_WAIT_MS = 60_000;

/**
 * Waits until a requested start has an outcome: the test has started, or the runner has refused.
 * `after` is the run's number of events before the request.
 *
 * @throws {OrchestratorError} `precondition_failed` with the runner's words, `conflict` when the run went another way,
 *   `unavailable` when no outcome comes
 */
export async function waitForStart(
  deps: Pick<Deps, "db" | "followers">,
  input: { runId: string; after: number; signal: AbortSignal },
): Promise<void> {
  const { runId, after } = input;
  const signal = AbortSignal.any([input.signal, AbortSignal.timeout(LONGEST_WAIT_MS)]);
  for await (const _ of deps.followers.follow(deps.db, { runId, after, signal })) {
    const run = await findRun(deps.db, { runId, ownerId: undefined });
    if (run === undefined || run.status === "started") return;
    if (run.start_refusal !== null) throw new OrchestratorError("precondition_failed", run.start_refusal);
    if (run.status !== "initialised") throw new OrchestratorError("conflict", `The run is ${run.status} now.`);
  }
  throw new OrchestratorError("unavailable", "The runner has not answered yet: the start goes on, follow the run.");
}
