import { expect, test } from "vitest";
import { type IdleSignals, isWarningDue, judgeIdle } from "./idle.ts";

const T0 = new Date("2026-11-23T00:00:00Z");
const at = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000);
const policy = { maxLifetimeSeconds: 86_400, idleTimeoutSeconds: 3_600, unreachableTimeoutSeconds: 600 };
const signals: IdleSignals = {
  createdAt: T0,
  initialisedAt: at(10),
  lastInteractionAt: undefined,
  unreachableSince: undefined,
  longestPollSeconds: undefined,
  extendedUntil: undefined,
};

test.each<[string, number, Partial<IdleSignals>, [string, number, boolean]]>([
  ["idle counts from the start where no client came", 3_609, {}, ["timeout", 3_610, false]],
  ["and is due at its time", 3_610, {}, ["timeout", 3_610, true]],
  ["a client's interaction moves it", 3_610, { lastInteractionAt: at(1_000) }, ["timeout", 4_600, false]],
  ["an interaction of before the start does not", 3_610, { lastInteractionAt: at(0) }, ["timeout", 3_610, true]],
  ["hourly polling gets two hours", 3_700, { longestPollSeconds: 3_600 }, ["timeout", 7_210, false]],
  ["quick polling does not shorten the limit", 100, { longestPollSeconds: 60 }, ["timeout", 3_610, false]],
  ["what is extended is not idle before", 3_700, { extendedUntil: at(9_000) }, ["timeout", 9_000, false]],
  ["an extension that is over changes nothing", 3_610, { extendedUntil: at(3_000) }, ["timeout", 3_610, true]],
  [
    "an extension goes beyond the lifetime",
    90_000,
    { extendedUntil: at(100_000), lastInteractionAt: at(89_999) },
    ["timeout", 100_000, false],
  ],
  [
    "but does not keep a silent runner",
    5_500,
    { unreachableSince: at(4_900), extendedUntil: at(9_000) },
    ["unreachable", 5_500, true],
  ],
  ["a silent runner is not idle", 5_000, { unreachableSince: at(4_900) }, ["unreachable", 5_500, false]],
  ["but is given up in its own time", 5_500, { unreachableSince: at(4_900) }, ["unreachable", 5_500, true]],
  ["a busy run ends with its lifetime", 86_400, { lastInteractionAt: at(86_399) }, ["lifetime", 86_400, true]],
  ["the nearer limit is told", 80_000, { lastInteractionAt: at(80_000) }, ["timeout", 83_600, false]],
  ["the lifetime is told when nearer", 86_000, { lastInteractionAt: at(85_000) }, ["lifetime", 86_400, false]],
])("%s", (_, now, changes, [rule, deadline, due]) => {
  expect(judgeIdle(at(now), { ...signals, ...changes }, policy)).toEqual({ rule, deadline: at(deadline), due });
});

test.each([
  ["ten minutes before the end", 3_600, 3_010, true],
  ["not sooner", 3_600, 3_009, false],
  ["half of a short idle time before", 300, 3_460, true],
  ["not sooner then either", 300, 3_459, false],
])("a warning is due %s", (_, idleSeconds, now, due) => {
  const verdict = judgeIdle(at(now), signals, policy);
  expect(verdict.deadline).toEqual(at(3_610));
  expect(isWarningDue(at(now), verdict, idleSeconds)).toBe(due);
});
