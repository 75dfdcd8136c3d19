import type { Step } from "@cactus/core/lifecycle";
import type { StepContext } from "./step-context.ts";
import { checkHealth } from "./steps/check-health.ts";
import { collect } from "./steps/collect.ts";
import { confirmGone } from "./steps/confirm-gone.ts";
import { create } from "./steps/create.ts";
import { deleteObjects } from "./steps/delete-objects.ts";
import { end } from "./steps/end.ts";
import { fail } from "./steps/fail.ts";
import { initialise } from "./steps/initialise.ts";
import { proveRoute } from "./steps/prove-route.ts";
import { repair } from "./steps/repair.ts";
import { settle } from "./steps/settle.ts";
import { start } from "./steps/start.ts";

export type Action = Exclude<Step, { do: "wait" }>;

/** Does the step and writes its outcome. Throws when it is to be tried again. */
export async function act(step: Action, context: StepContext): Promise<void> {
  switch (step.do) {
    case "create":
      return create(context);
    case "repair":
      return repair(context);
    case "check-health":
      return checkHealth(context);
    case "prove-route":
      return proveRoute(context);
    case "initialise":
      return initialise(context);
    case "start":
      return start(context);
    case "fail":
      return fail(context, step);
    case "end":
      return end(context);
    case "collect":
      return collect(context, step.ifSilent);
    case "settle":
      return settle(context);
    case "delete":
      return deleteObjects(context);
    case "confirm-gone":
      return confirmGone(context);
  }
}
