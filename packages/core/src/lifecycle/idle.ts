export interface IdlePolicy {
  /** Longest life of an instance, seconds from its creation. */
  maxLifetimeSeconds: number;
  /** Idle after this long without a client interaction. */
  idleTimeoutSeconds: number;
  /** A runner that has not answered for this long is given up. */
  unreachableTimeoutSeconds: number;
}

export interface IdleSignals {
  createdAt: Date;
  initialisedAt: Date;
  /** When a client last reached the test; undefined when none has. */
  lastInteractionAt: Date | undefined;
  /** Since when the runner does not answer; undefined while it does. */
  unreachableSince: Date | undefined;
  /** The slowest polling that the procedure sets its client, seconds; undefined when it sets none. */
  longestPollSeconds: number | undefined;
  /** A user wants it kept until then, idle or not. */
  extendedUntil: Date | undefined;
}

/** What a live run is in for: by which rule, and when. */
export interface IdleVerdict {
  rule: "timeout" | "lifetime" | "unreachable";
  /** When the rule ends the run, if nothing changes before. */
  deadline: Date;
  due: boolean;
}

/**
 * Tells which rule will end a live run, and whether its time has come.
 * A procedure whose client polls seldom gets at least twice its longest poll before it counts as idle.
 * What a user has extended ends by neither idle time nor lifetime before.
 * A runner that does not answer is neither idle nor alive: it has a limit of its own, and no idle time runs for it.
 */
export function judgeIdle(now: Date, signals: IdleSignals, policy: IdlePolicy): IdleVerdict {
  const lastSign = latest(signals.lastInteractionAt, signals.initialisedAt);
  const kept = signals.extendedUntil?.getTime() ?? 0;
  const quiet: [IdleVerdict["rule"], number] =
    signals.unreachableSince === undefined
      ? ["timeout", Math.max(kept, lastSign.getTime() + countIdleSeconds(signals, policy) * 1000)]
      : ["unreachable", signals.unreachableSince.getTime() + policy.unreachableTimeoutSeconds * 1000];
  const lifetime: [IdleVerdict["rule"], number] = [
    "lifetime",
    Math.max(kept, signals.createdAt.getTime() + policy.maxLifetimeSeconds * 1000),
  ];
  const [rule, time] = quiet[1] <= lifetime[1] ? quiet : lifetime;
  return { rule, deadline: new Date(time), due: now.getTime() >= time };
}

/** Seconds without a client interaction after which a run is idle. */
export function countIdleSeconds(signals: Pick<IdleSignals, "longestPollSeconds">, policy: IdlePolicy): number {
  return Math.max(policy.idleTimeoutSeconds, 2 * (signals.longestPollSeconds ?? 0));
}

/** How long before a run's end its user is warned, seconds. */
const WARNING_SECONDS = 600;

/** Whether it is time to warn of the end: ten minutes before, or half of the idle time where that is shorter. */
export function isWarningDue(now: Date, verdict: IdleVerdict, idleSeconds: number): boolean {
  const leadSeconds = Math.min(WARNING_SECONDS, idleSeconds / 2);
  return now.getTime() >= verdict.deadline.getTime() - leadSeconds * 1000;
}

function latest(a: Date | undefined, b: Date): Date {
  return a !== undefined && a > b ? a : b;
}
