import { X509Certificate } from "node:crypto";
import { hasTest, RunnerError, type RunRequest } from "@cactus/core/runner";
import { getCertificate, getUser, type Run } from "@cactus/db";
import { NotYet, type StepContext } from "../step-context.ts";
import { fail } from "./fail.ts";

/** A refusal that may come from a passing trouble inside the runner is taken as final after this many attempts. */
const ATTEMPTS = 3;

/**
 * Gives the runner its test. It must not be told twice, so a mark is written before the call; whoever finds the mark after
 * a crash asks the runner first.
 */
export async function initialise(context: StepContext): Promise<void> {
  const { deps, run, commit } = context;
  if (run === undefined) return;
  if (run.initialise_called_at !== null) {
    const earlier = await askForEarlierCall(context);
    if (earlier !== undefined) return await conclude(context, earlier);
  } else {
    await commit({ run: { initialise_called_at: deps.now() } });
  }
  const request = await buildRequest(context, run);
  try {
    await conclude(context, await context.runner.initialise(request));
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    await conclude(context, await resolveRefusal(context, error));
  }
}

type Initialised = { isStarted: boolean } | "failed";

/** What the call of before the crash has come to; undefined when it never arrived. */
async function askForEarlierCall({ runner }: StepContext): Promise<Initialised | undefined> {
  const status = await runner.status().catch((error: unknown) => {
    throw new NotYet("The runner does not answer.", { cause: error });
  });
  return hasTest(status) ? { isStarted: status.timestampStart !== null } : undefined;
}

async function resolveRefusal(context: StepContext, error: RunnerError): Promise<Initialised> {
  const { teststack } = context;
  if (error.kind === "silent" || error.kind === "unhealthy") throw new NotYet(error.message, { cause: error });
  if (error.kind === "conflict") {
    const earlier = await askForEarlierCall(context);
    if (earlier !== undefined) return earlier;
    throw new NotYet(error.message, { cause: error });
  }
  if (error.kind === "precondition") {
    // The test is active all the same: its archive is collected as evidence.
    await fail(context, { reason: "precondition_failed", message: error.message });
    return "failed";
  }
  if (teststack.attempts + 1 < ATTEMPTS) throw new NotYet(error.message, { cause: error });
  context.deps.logger.warn({ err: error, teststack: teststack.id }, "the runner refuses its test");
  await fail(context, { reason: "runner_refused", message: "The runner did not accept the test procedure." });
  return "failed";
}

async function conclude({ deps, commit, run }: StepContext, outcome: Initialised): Promise<void> {
  if (outcome === "failed") return;
  const now = deps.now();
  const { isStarted } = outcome;
  const procedureId = run?.procedure_id ?? "";
  await commit({
    teststack: { phase: "live" },
    run: {
      initialised_at: now,
      status: isStarted ? "started" : "initialised",
      ...(isStarted && { started_at: now }),
    },
    events: [
      { kind: "initialised", message: `Test ${procedureId} initialised.`, detail: {} },
      ...(isStarted ? [{ kind: "started", message: "The test starts at once: it is running.", detail: {} }] : []),
    ],
  });
}

async function buildRequest({ deps }: StepContext, run: Run): Promise<RunRequest> {
  const [certificate, user] = await Promise.all([
    getCertificate(deps.db, run.certificate_id),
    getUser(deps.db, run.user_id),
  ]);
  return {
    runId: run.id,
    procedureId: run.procedure_id,
    procedureYaml: run.procedure_yaml,
    runGroup: { id: run.run_group_id ?? run.id, name: run.procedure_id, csipAusVersion: run.csip_aus_version },
    certificate: { kind: certificate.kind, pem: new X509Certificate(certificate.der).toString() },
    subscriptionDomain: user.subscription_domain,
    isStaticUrl: user.is_static_uri,
    pen: user.pen,
    user: { id: user.id, name: user.name ?? user.subject },
  };
}
