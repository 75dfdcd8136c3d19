import type { TeststackPlan } from "../teststack-plans.ts";
import type { StepContext } from "./step-context.ts";

/** What the objects of this very teststack are to be. @throws {OrchestratorError} `unavailable`, with the reason */
export function planOf({ deps, teststack, run }: StepContext): TeststackPlan {
  const { id: teststackId, name, workload, encryption } = teststack;
  return deps.plans.plan({ teststackId, name, workload, encryption, csipAusVersion: run?.csip_aus_version ?? "" });
}
