import {
  countIdleSeconds,
  type IdlePolicy,
  type IdleSignals,
  type IdleVerdict,
  judgeIdle,
} from "@cactus/core/lifecycle";
import { parseProcedure } from "@cactus/core/runner";
import type { Run } from "@cactus/db";
import type { Deps } from "./deps.ts";

/** What has just been heard of a run's runner. */
export interface Contact {
  answered: boolean;
  lastInteractionAt: Date | undefined;
}

export interface IdleJudgement {
  verdict: IdleVerdict;
  signals: IdleSignals;
  policy: IdlePolicy;
  /** The idle time that counts for this run. */
  idleSeconds: number;
}

/** Tells by which rule a live run will end, when, and from what that follows. */
export function judgeRun({ config, now }: Pick<Deps, "config" | "now">, run: Run, contact: Contact): IdleJudgement {
  const byProcedure = config.IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS_BY_PROCEDURE.get(run.procedure_id);
  const policy: IdlePolicy = {
    maxLifetimeSeconds: config.IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS,
    idleTimeoutSeconds: byProcedure ?? config.IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS,
    unreachableTimeoutSeconds: config.RUNNER_UNREACHABLE_TIMEOUT_SECONDS,
  };
  const signals: IdleSignals = {
    createdAt: run.created_at,
    initialisedAt: run.started_at ?? run.initialised_at ?? run.created_at,
    lastInteractionAt: contact.lastInteractionAt ?? run.last_interaction_at ?? undefined,
    unreachableSince: contact.answered ? undefined : (run.unreachable_since ?? now()),
    longestPollSeconds: parseProcedure(run.procedure_id, run.procedure_yaml).longestPollSeconds,
    extendedUntil: run.extended_until ?? undefined,
  };
  return {
    verdict: judgeIdle(now(), signals, policy),
    signals,
    policy,
    idleSeconds: countIdleSeconds(signals, policy),
  };
}
