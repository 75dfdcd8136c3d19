import { judgeCriteria, runnerStatusSchema } from "@cactus/core/runner";
import type { Run } from "@cactus/db";
import type { Outcome, StepContext } from "../step-context.ts";

/** Writes the run's outcome; the objects are deleted next. */
export async function settle(context: StepContext): Promise<void> {
  const { run, commit, deps } = context;
  const outcome = run === undefined ? {} : decideOutcome(run, deps.now());
  await commit({ ...outcome, teststack: { phase: "deleting", desired: "absent" } });
  if (outcome.run?.status !== undefined) deps.metrics.runsEnded.inc({ outcome: String(outcome.run.status) });
}

function decideOutcome(run: Run, now: Date): Outcome {
  if (run.status === "failed") return {};
  if (run.deleted_at !== null) {
    const message = "Deleted before it was finalised.";
    return { run: { status: "failed", failure_reason: "deleted", failure_message: message } };
  }
  const allCriteriaMet = run.last_status === null ? null : judgeCriteria(runnerStatusSchema.parse(run.last_status));
  return {
    run: {
      status: "finalised",
      finalised_at: now,
      finalised_by: run.finalise_requested_by,
      all_criteria_met: allCriteriaMet,
    },
    events: [{ kind: "finalised", message: describe(run, allCriteriaMet), detail: { allCriteriaMet } }],
  };
}

function describe(run: Run, allCriteriaMet: boolean | null): string {
  if (run.initialise_called_at === null) return "Finalised before the test was initialised: there is no result.";
  if (allCriteriaMet === null) return "Finalised; whether all criteria are met is not known.";
  return allCriteriaMet ? "Finalised: all criteria are met." : "Finalised: not all criteria are met.";
}
