import type { StepContext } from "../step-context.ts";

/** Says that the run has failed, at once; its evidence is collected next. */
export async function fail({ commit }: StepContext, why: { reason: string; message: string }): Promise<void> {
  await commit({
    teststack: { phase: "collecting", desired: "absent", failure_reason: why.reason, failure_message: why.message },
    run: { status: "failed", failure_reason: why.reason, failure_message: why.message },
    events: [{ kind: "failed", message: why.message, detail: { reason: why.reason } }],
  });
}
