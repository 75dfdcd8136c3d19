import { expect, test } from "vitest";
import { summarisePod } from "./pod-summary.ts";

const running = (name: string, more: object = {}) => ({
  ...{ name, image: "i", imageID: "", ready: true, started: true, restartCount: 0 },
  state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
  ...more,
});
const ended = (name: string, exitCode: number, reason?: string) =>
  running(name, { ready: false, state: { terminated: { exitCode, ...(reason !== undefined && { reason }) } } });
const waiting = (name: string, reason: string) => running(name, { ready: false, state: { waiting: { reason } } });

interface Given {
  init?: object[];
  main?: object[];
  phase?: string;
  reason?: string;
  metadata?: object;
}

function buildPod({ init = [], main = [], phase = "Running", reason, metadata = {} }: Given) {
  const named = (statuses: object[]) =>
    statuses.map((status) => ({
      name: String(Reflect.get(status, "name")),
      ...(String(Reflect.get(status, "name")).startsWith("sidecar") && { restartPolicy: "Always" }),
    }));
  return {
    ...{ apiVersion: "v1", kind: "Pod", metadata },
    spec: { initContainers: named(init), containers: named(main) },
    status: { phase, initContainerStatuses: init, containerStatuses: main, ...(reason !== undefined && { reason }) },
  };
}

test.each<[string, Given, string, string, number]>([
  ["all runs", { main: [running("a"), running("b")] }, "2/2", "Running", 0],
  ["one is not ready", { main: [running("a"), running("b", { ready: false })] }, "1/2", "Running", 0],
  ["sidecars count", { init: [ended("setup", 0), running("sidecar")], main: [running("a")] }, "2/2", "Running", 0],
  [
    "the first step is under way",
    { init: [running("setup")], main: [waiting("a", "PodInitializing")] },
    "0/1",
    "Init:0/1",
    0,
  ],
  [
    "the second is",
    { init: [ended("one", 0), running("two")], main: [waiting("a", "PodInitializing")] },
    "0/1",
    "Init:1/2",
    0,
  ],
  [
    "a step failed",
    { init: [ended("setup", 2, "Error")], main: [waiting("a", "PodInitializing")] },
    "0/1",
    "Init:Error",
    0,
  ],
  ["a step keeps failing", { init: [waiting("setup", "CrashLoopBackOff")] }, "0/0", "Init:CrashLoopBackOff", 0],
  [
    "a container keeps failing",
    { main: [{ ...waiting("a", "CrashLoopBackOff"), restartCount: 3 }] },
    "0/1",
    "CrashLoopBackOff",
    3,
  ],
  ["it is done", { phase: "Succeeded", main: [ended("a", 0, "Completed")] }, "0/1", "Completed", 0],
  ["it ended without a word", { phase: "Failed", main: [ended("a", 7)] }, "0/1", "ExitCode:7", 0],
  ["it was evicted", { phase: "Failed", reason: "Evicted" }, "0/0", "Evicted", 0],
  [
    "it is going",
    { main: [running("a")], metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } },
    "1/1",
    "Terminating",
    0,
  ],
  ["nothing is known", { phase: "Pending" }, "0/0", "Pending", 0],
])("%s", (...[, given, ready, status, restarts]) => {
  expect(summarisePod(buildPod(given) as unknown as Parameters<typeof summarisePod>[0])).toMatchObject({
    ready,
    status,
    restarts,
  });
});
