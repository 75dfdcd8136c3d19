import { judgeCriteria, type RunnerStatus } from "@cactus/core/runner";
import { z } from "zod";

const check = z.object({ type: z.string(), success: z.boolean().nullable(), details: z.string() });

/** What the runner says of a test, now or last. */
export const runnerStatusOutput = z.object({
  runId: z.uuid(),
  /** True: asked just now. False: the last that was kept before the test was finalised. */
  live: z.boolean(),
  at: z.iso.datetime(),
  summary: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  allCriteriaMet: z.boolean().nullable(),
  criteria: z.array(check),
  preconditionChecks: z.array(check),
  instructions: z.array(z.string()),
  steps: z.array(
    z.object({
      name: z.string(),
      startedAt: z.string().nullable(),
      completedAt: z.string().nullable(),
      /** What the step waits for. */
      waitingFor: z.string().nullable(),
    }),
  ),
  lastInteraction: z.object({ type: z.string(), at: z.string() }).nullable(),
  requests: z.array(
    z.object({
      requestId: z.number(),
      at: z.string(),
      method: z.string(),
      path: z.string(),
      /** HTTP status of the answer. */
      status: z.number(),
      stepName: z.string(),
      xmlErrors: z.array(z.string()),
    }),
  ),
});

export function toRunnerStatusView(
  status: RunnerStatus,
  from: { runId: string; live: boolean; at: Date },
): z.output<typeof runnerStatusOutput> {
  const interaction = status.lastClientInteraction;
  return {
    runId: from.runId,
    live: from.live,
    at: from.at.toISOString(),
    summary: status.statusSummary,
    startedAt: status.timestampStart,
    finishedAt: status.timestampFinished,
    allCriteriaMet: judgeCriteria(status),
    criteria: status.criteria.map(toCheck),
    preconditionChecks: status.preconditionChecks.map(toCheck),
    instructions: status.instructions,
    steps: Object.entries(status.stepStatus).map(([name, step]) => ({
      name,
      startedAt: step.startedAt,
      completedAt: step.completedAt,
      waitingFor: step.eventStatus,
    })),
    lastInteraction: interaction && { type: interaction.interactionType, at: interaction.timestamp },
    requests: status.requestHistory.map((request) => ({
      requestId: request.requestId,
      at: request.timestamp,
      method: request.method,
      path: request.path,
      status: request.status,
      stepName: request.stepName,
      xmlErrors: request.bodyXmlErrors,
    })),
  };
}

function toCheck({ type, success, details }: z.output<typeof check>): z.output<typeof check> {
  return { type, success, details };
}
