import { RunnerError } from "@cactus/core/runner";
import { NotYet, type Outcome, type StepContext } from "../step-context.ts";

/** A runner that is silent for this many attempts has not started the test, as far as the caller is concerned. */
const ATTEMPTS = 5;

/** Starts the initialised test. What the runner refuses is told to whoever asked, who may ask again. */
export async function start(context: StepContext): Promise<void> {
  try {
    await context.runner.start();
    await context.commit(started(context));
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    await context.commit(await judgeRefusal(context, error));
  }
}

async function judgeRefusal(context: StepContext, error: RunnerError): Promise<Outcome> {
  if (error.kind !== "conflict") return refused(context, error);
  // An earlier call may have started it, and we did not live to write it down.
  const status = await context.runner.status().catch((silence: unknown) => {
    if (silence instanceof RunnerError) return silence;
    throw silence;
  });
  if (status instanceof RunnerError) return refused(context, status);
  return status.timestampStart === null ? refused(context, error) : started(context);
}

function refused({ teststack }: StepContext, error: RunnerError): Outcome {
  const isPassing = error.kind === "silent" || error.kind === "unhealthy" || error.kind === "broken";
  if (isPassing && teststack.attempts + 1 < ATTEMPTS) throw new NotYet(error.message, { cause: error });
  return {
    teststack: { attempts: 0 },
    run: { start_requested_at: null, start_refusal: error.message },
    events: [{ kind: "start_refused", message: error.message, detail: {} }],
  };
}

function started({ deps }: StepContext): Outcome {
  return {
    teststack: { attempts: 0 },
    run: { status: "started", started_at: deps.now() },
    events: [{ kind: "started", message: "The test is running.", detail: {} }],
  };
}
