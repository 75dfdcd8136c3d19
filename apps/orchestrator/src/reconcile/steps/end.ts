import type { StepContext } from "../step-context.ts";

/** The run is over: from here the way leads out. */
export async function end({ commit, run }: StepContext): Promise<void> {
  const deleted = run?.deleted_at != null;
  await commit({
    teststack: { phase: "collecting", desired: "absent" },
    events: deleted ? [] : [{ kind: "collecting", message: "Fetching the result.", detail: {} }],
  });
}
