import { expect, test } from "vitest";
import { nextStep } from "./next-step.ts";
import type { Phase, PodCondition, RunSituation, Situation } from "./situation.ts";

const T0 = new Date("2026-11-23T00:00:00Z");
const at = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000);

const fresh: RunSituation = {
  status: "provisioning",
  startRequested: false,
  finaliseRequested: false,
  deleted: false,
  initialiseCalled: false,
  hasArtifact: false,
  loss: undefined,
};

interface Case {
  phase: Phase;
  run?: Partial<RunSituation> | null;
  pod?: PodCondition;
  objects?: Situation["objects"];
  now?: Date;
  replacesPod?: boolean;
  admittedAt?: Date | undefined;
}

function situation({
  phase,
  run = {},
  pod = { state: "ready" },
  objects = "some",
  now = at(10),
  replacesPod = true,
  ...rest
}: Case): Situation {
  return {
    now,
    teststack: { phase, replacesPod, phaseSince: at(5), admittedAt: "admittedAt" in rest ? rest.admittedAt : T0 },
    run: run === null ? undefined : { ...fresh, ...run },
    pod,
    objects,
    limits: { spawnTimeoutSeconds: 300, collectTimeoutSeconds: 120 },
  };
}

const starting: PodCondition = { state: "starting", waitingFor: "container envoy waits: ImagePullBackOff" };
const lost: PodCondition = { state: "lost", reason: "container_restarted", message: "Container envoy restarted." };
const waitForSpawn = { do: "wait", until: at(300) };
const wait = { do: "wait", until: undefined };
const late = at(300);

test.each<[string, Case, object]>([
  // On the way in.
  ["a request is created", { phase: "requested", pod: { state: "absent" } }, { do: "create" }],
  [
    "one in the queue waits, for as long as it takes",
    { phase: "requested", pod: { state: "absent" }, objects: "none", admittedAt: undefined, now: at(100_000) },
    wait,
  ],
  [
    "the time for a spawn counts from its admission",
    { phase: "created", pod: starting, admittedAt: at(1_000), now: at(1_100) },
    { do: "wait", until: at(1_300) },
  ],
  [
    "one in the queue can be finalised",
    { phase: "requested", admittedAt: undefined, run: { finaliseRequested: true } },
    { do: "end" },
  ],
  ["a Pod that is starting is waited for", { phase: "created", pod: starting }, waitForSpawn],
  ["a Pod not heard of yet is waited for", { phase: "created", pod: { state: "unknown" } }, waitForSpawn],
  ["a Pod not there yet is waited for", { phase: "created", pod: { state: "absent" } }, waitForSpawn],
  [
    "a Pod of its own not there yet is waited for, a moment",
    { phase: "created", pod: { state: "absent" }, replacesPod: false, now: at(6) },
    { do: "wait", until: at(10) },
  ],
  [
    "a Pod of its own that is not there any more fails",
    { phase: "created", pod: { state: "absent" }, replacesPod: false, now: at(10) },
    { do: "fail", reason: "pod_deleted" },
  ],
  ["a ready Pod is asked for its health", { phase: "created" }, { do: "check-health" }],
  ["a healthy one's route is proven", { phase: "ready" }, { do: "prove-route" }],
  ["a reachable one gets its test", { phase: "routed" }, { do: "initialise" }],
  [
    "one that got it before a crash gets it again",
    { phase: "routed", run: { initialiseCalled: true } },
    { do: "initialise" },
  ],
  ["one that becomes unready on the way in is waited for", { phase: "ready", pod: starting }, waitForSpawn],
  ["one that cannot start fails", { phase: "created", pod: lost }, { do: "fail", reason: "container_restarted" }],
  [
    "one that is lost before its test fails",
    { phase: "routed", pod: lost },
    { do: "fail", reason: "container_restarted" },
  ],
  [
    "nothing is created for a run that is over",
    { phase: "requested", run: { finaliseRequested: true } },
    { do: "end" },
  ],
  ["nothing goes on for a deleted run", { phase: "ready", run: { deleted: true } }, { do: "end" }],
  ["nothing goes on without a run", { phase: "created", run: null }, { do: "end" }],
  ["finalise comes before failure", { phase: "routed", pod: lost, run: { finaliseRequested: true } }, { do: "end" }],
  // Too long.
  [
    "creation that takes too long",
    { phase: "requested", now: late },
    { do: "fail", reason: "spawn_timeout", message: "The teststack could not be created within 300 s." },
  ],
  [
    "a Pod that takes too long",
    { phase: "created", pod: starting, now: late },
    { do: "fail", message: "The teststack's Pod was not ready within 300 s: container envoy waits: ImagePullBackOff" },
  ],
  [
    "a runner that is never healthy",
    { phase: "created", now: late },
    { do: "fail", message: "The runner did not report healthy within 300 s." },
  ],
  [
    "a route that never works",
    { phase: "ready", now: late },
    { do: "fail", message: "The teststack could not be reached through its public address within 300 s." },
  ],
  [
    "a runner that takes no test",
    { phase: "routed", now: late },
    { do: "fail", message: "The runner did not accept the test within 300 s." },
  ],
  // Live.
  ["a live one rests", { phase: "live", run: { status: "started" }, now: late }, wait],
  [
    "a live one rests while its Pod is not heard of",
    { phase: "live", run: { status: "started" }, pod: { state: "unknown" } },
    wait,
  ],
  [
    "a live one that turns unready is left to the sweep",
    { phase: "live", run: { status: "started" }, pod: starting },
    wait,
  ],
  ["start is carried out", { phase: "live", run: { status: "initialised", startRequested: true } }, { do: "start" }],
  ["start is not repeated", { phase: "live", run: { status: "started", startRequested: true } }, wait],
  [
    "finalise comes before start",
    { phase: "live", run: { status: "initialised", startRequested: true, finaliseRequested: true } },
    { do: "end" },
  ],
  [
    "a lost one fails",
    { phase: "live", run: { status: "started" }, pod: lost },
    { do: "fail", reason: "container_restarted", message: "Container envoy restarted." },
  ],
  [
    "finalise of a lost one still collects",
    { phase: "live", run: { status: "finalising", finaliseRequested: true }, pod: lost },
    { do: "end" },
  ],
  // What another has deleted.
  [
    "a route that is gone is made again",
    { phase: "live", run: { status: "started" }, objects: "incomplete" },
    { do: "repair" },
  ],
  ["also before it is proven", { phase: "ready", objects: "incomplete" }, { do: "repair" }],
  ["not while the first ones are on their way", { phase: "created", objects: "incomplete" }, { do: "check-health" }],
  [
    "not for a lost one",
    { phase: "live", run: { status: "started" }, pod: lost, objects: "incomplete" },
    { do: "fail" },
  ],
  ["what is left of one is deleted", { phase: "deleting", objects: "incomplete" }, { do: "delete" }],
  // Collecting.
  [
    "a result is fetched",
    { phase: "collecting", run: { status: "finalising", initialiseCalled: true } },
    { do: "collect", ifSilent: "retry" },
  ],
  [
    "for a limited time",
    { phase: "collecting", run: { status: "finalising", initialiseCalled: true }, now: at(125) },
    { do: "collect", ifSilent: "keep-what-there-is" },
  ],
  [
    "and from a Pod that is there",
    { phase: "collecting", run: { status: "finalising", initialiseCalled: true }, pod: { state: "absent" } },
    { do: "collect", ifSilent: "keep-what-there-is" },
  ],
  [
    "evidence of a failure is fetched",
    { phase: "collecting", run: { status: "failed" } },
    { do: "collect", ifSilent: "retry" },
  ],
  [
    "at once where the Pod is lost",
    { phase: "collecting", run: { status: "failed" }, pod: lost },
    { do: "collect", ifSilent: "keep-what-there-is" },
  ],
  [
    "a stored result is settled",
    { phase: "collecting", run: { status: "finalising", initialiseCalled: true, hasArtifact: true } },
    { do: "settle" },
  ],
  [
    "without a test there is nothing to fetch",
    { phase: "collecting", run: { status: "finalising" } },
    { do: "settle" },
  ],
  [
    "what was deleted is not fetched",
    { phase: "collecting", run: { status: "started", initialiseCalled: true, deleted: true } },
    { do: "settle" },
  ],
  ["without a run there is nothing to fetch", { phase: "collecting", run: null }, { do: "settle" }],
  // Out.
  ["objects are deleted", { phase: "deleting", objects: "some" }, { do: "delete" }],
  ["nothing left is written down", { phase: "deleting", objects: "none" }, { do: "confirm-gone" }],
  ["what is being deleted is waited for", { phase: "deleting", objects: "deleting" }, { do: "wait", until: at(20) }],
  ["what is not known is waited for", { phase: "deleting", objects: "unknown" }, { do: "wait", until: at(20) }],
  ["gone stays gone", { phase: "gone", run: null, objects: "some" }, wait],
])("%s", (_, input, expected) => {
  expect(nextStep(situation(input))).toMatchObject(expected);
});
