import { findExpectedRequest, type TestRun } from "./test-run.ts";
import { toOptionalTimestamp, toTimestamp } from "./timestamp.ts";

export interface Interaction {
  readonly interactionType:
    | "Runner Started"
    | "Test Procedure Initialised"
    | "Test Procedure Started"
    | "Request Proxied";
  readonly timestamp: Date;
}

export interface StatusContext {
  readonly now: Date;
  readonly lastInteraction: Interaction;
  readonly envoyLog: string;
  /** Requests before this moment are left out. */
  readonly since?: Date;
}

/** Builds the runner's status with the recorded keys, in the recorded order. */
export function buildStatus(run: TestRun | undefined, context: StatusContext): Readonly<Record<string, unknown>> {
  const { interactionType, timestamp } = context.lastInteraction;
  return {
    timestampStatus: toTimestamp(context.now),
    timestampInitialise: toOptionalTimestamp(run?.initialisedAt),
    timestampStart: toOptionalTimestamp(run?.startedAt),
    statusSummary: run === undefined ? "No test procedure running" : summarise(run),
    lastClientInteraction: { interactionType, timestamp: toTimestamp(timestamp) },
    csipAusVersion: run?.csipAusVersion ?? "",
    logEnvoy: context.envoyLog,
    criteria: run?.check(run.procedure.criteria) ?? [],
    preconditionChecks: run?.check(run.procedure.preconditions) ?? [],
    warnings: [],
    instructions: run === undefined ? null : findInstructions(run),
    testProcedureName: run?.name ?? "-",
    stepStatus: run === undefined ? null : buildSteps(run),
    requestHistory: run === undefined ? [] : buildHistory(run, context.since),
    timeline: null,
    endDeviceMetadata: run === undefined ? null : buildDevice(run),
    timestampFinished: toOptionalTimestamp(run?.finishedAt),
  };
}

function summarise(run: TestRun): string {
  const complete = run.steps.filter((step) => step.completedAt !== undefined);
  return `${complete.length}/${run.steps.length} steps complete.`;
}

/** Before the start those of the preconditions, then those of the enabled steps. */
function findInstructions(run: TestRun): readonly string[] | null {
  if (run.startedAt === undefined) return run.procedure.instructions;
  const instructions = run.enabledSteps.flatMap(({ definition }) =>
    definition.instructions.map((instruction) => `${instruction} (${definition.name})`),
  );
  return instructions.length === 0 ? null : instructions;
}

function buildSteps(run: TestRun): Readonly<Record<string, unknown>> {
  const steps = run.steps.map((step) => {
    const isEnabled = run.enabledSteps.includes(step);
    const state = {
      startedAt: toOptionalTimestamp(step.startedAt),
      completedAt: toOptionalTimestamp(step.completedAt),
      eventStatus: isEnabled ? findExpectedRequest(step.definition.event) : null,
    };
    return [step.definition.name, state];
  });
  return Object.fromEntries(steps);
}

function buildHistory(run: TestRun, since: Date | undefined): unknown[] {
  return run.requestHistory
    .filter((entry) => since === undefined || entry.timestamp >= since)
    .map((entry) => ({ ...entry, timestamp: toTimestamp(entry.timestamp) }));
}

/** The device that counts is the one registered last. */
function buildDevice(run: TestRun): Readonly<Record<string, unknown>> | null {
  const { devices } = run.utilityServer;
  const device = devices.at(-1);
  if (device === undefined) return null;
  return {
    edevid: devices.length,
    lfdi: device.lfdi.toUpperCase(),
    sfdi: device.sfdi,
    nmi: null,
    aggregatorId: device.aggregatorId,
    setMaxW: null,
    doeModesEnabled: null,
    deviceCategory: device.deviceCategory,
    timezoneId: "Australia/Brisbane",
    derCapability: null,
    derSettings: null,
    derStatus: null,
  };
}
