import {
  countIdleSeconds,
  type IdlePolicy,
  type IdleSignals,
  type IdleVerdict,
  judgeIdle,
} from "@cactus/core/lifecycle";
import { lastClientInteraction, parseProcedure, type RunnerStatus } from "@cactus/core/runner";
import type { LiveRun, Run } from "@cactus/db";
import type { Deps } from "./deps.ts";

/** What has just been heard of a run's runner. */
export interface Contact {
  answered: boolean;
  lastInteractionAt: Date | undefined;
}

/** Asks a live run's runner how its test is doing; undefined when it does not answer. */
export function askStatus({ runnerOf }: Pick<Deps, "runnerOf">, run: LiveRun): Promise<RunnerStatus | undefined> {
  return runnerOf({ name: run.teststack_name, encryption: run.teststack_encryption })
    .status()
    .catch(() => undefined);
}

export function toContact(status: RunnerStatus | undefined): Contact {
  return { answered: status !== undefined, lastInteractionAt: status && lastClientInteraction(status) };
}

export interface IdleJudgement {
  verdict: IdleVerdict;
  signals: IdleSignals;
  policy: IdlePolicy;
  /** The idle time that counts for this run. */
  idleSeconds: number;
}

/** Tells by which rule a live run will end, when, and from what that follows. */
export function judgeRun({ config, now }: Pick<Deps, "config" | "now">, run: LiveRun, contact: Contact): IdleJudgement {
  const byProcedure = config.IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS_BY_PROCEDURE.get(run.procedure_id);
  const policy: IdlePolicy = {
    maxLifetimeSeconds: config.IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS,
    idleTimeoutSeconds: byProcedure ?? config.IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS,
    unreachableTimeoutSeconds: config.RUNNER_UNREACHABLE_TIMEOUT_SECONDS,
  };
  const signals: IdleSignals = {
    createdAt: run.admitted_at ?? run.created_at,
    initialisedAt: run.started_at ?? run.initialised_at ?? run.created_at,
    lastInteractionAt: contact.lastInteractionAt ?? run.last_interaction_at ?? undefined,
    unreachableSince: contact.answered ? undefined : (run.unreachable_since ?? now()),
    longestPollSeconds: findLongestPoll(run),
    extendedUntil: run.extended_until ?? undefined,
  };
  return {
    verdict: judgeIdle(now(), signals, policy),
    signals,
    policy,
    idleSeconds: countIdleSeconds(signals, policy),
  };
}

/** Texts of procedures that are remembered at most. */
const REMEMBERED_PROCEDURES = 500;
const longestPolls = new Map<string, number | undefined>();

/** Each text is parsed once: a sweep meets the same few procedures in all live runs. */
function findLongestPoll({ procedure_id: id, procedure_yaml: yaml }: Run): number | undefined {
  if (longestPolls.has(yaml)) return longestPolls.get(yaml);
  const { longestPollSeconds } = parseProcedure(id, yaml);
  if (longestPolls.size >= REMEMBERED_PROCEDURES) longestPolls.clear();
  longestPolls.set(yaml, longestPollSeconds);
  return longestPollSeconds;
}
