import { z } from "zod";
import type { IdleJudgement } from "../idle.ts";

const time = z.iso.datetime();

/** Why and when a live run would be ended, if nothing changed. */
export const runIdleOutput = z.object({
  /** `timeout`: no client; `lifetime`: as long as any run may be; `unreachable`: its runner does not answer. */
  rule: z.enum(["timeout", "lifetime", "unreachable"]),
  deadline: time,
  /** False where runs are not ended by idle time or lifetime (`IDLETEARDOWNTASK_ENABLE`). */
  enabled: z.boolean(),
  signals: z.object({
    createdAt: time,
    initialisedAt: time,
    /** When a client last reached the test. */
    lastInteractionAt: time.nullable(),
    unreachableSince: time.nullable(),
    extendedUntil: time.nullable(),
    /** The slowest polling that the procedure sets its client: the idle time is at least twice that. */
    longestPollSeconds: z.number().nullable(),
  }),
  limits: z.object({
    idleSeconds: z.number(),
    lifetimeSeconds: z.number(),
    unreachableSeconds: z.number(),
  }),
});

export function toRunIdleView(
  { verdict, signals, policy, idleSeconds }: IdleJudgement,
  enabled: boolean,
): z.output<typeof runIdleOutput> {
  const { createdAt, initialisedAt, lastInteractionAt, unreachableSince, extendedUntil, longestPollSeconds } = signals;
  return {
    rule: verdict.rule,
    deadline: verdict.deadline.toISOString(),
    enabled: enabled || verdict.rule === "unreachable",
    signals: {
      createdAt: createdAt.toISOString(),
      initialisedAt: initialisedAt.toISOString(),
      lastInteractionAt: lastInteractionAt?.toISOString() ?? null,
      unreachableSince: unreachableSince?.toISOString() ?? null,
      extendedUntil: extendedUntil?.toISOString() ?? null,
      longestPollSeconds: longestPollSeconds ?? null,
    },
    limits: {
      idleSeconds,
      lifetimeSeconds: policy.maxLifetimeSeconds,
      unreachableSeconds: policy.unreachableTimeoutSeconds,
    },
  };
}
