import type { V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { assessPod, type BoundPod, countRestarts } from "./assess-pod.ts";

const bound: BoundPod = { uid: "uid-1", restarts: 0 };
const running = { running: { startedAt: new Date(0) } };
const crashed = { terminated: { exitCode: 3, reason: "Error" } };
const killed = { terminated: { exitCode: 137, signal: 9, reason: "OOMKilled" } };

function container(name: string, changes: Partial<V1ContainerStatus> = {}): V1ContainerStatus {
  return { name, ready: true, restartCount: 0, image: "i", imageID: "", state: running, ...changes };
}

interface PodInput {
  uid?: string;
  ready?: boolean;
  containers?: V1ContainerStatus[];
  init?: V1ContainerStatus[];
  changes?: Partial<V1Pod["status"]>;
  deleting?: boolean;
}

function pod({
  uid = "uid-1",
  ready = true,
  containers = [container("envoy")],
  init = [],
  changes,
  deleting,
}: PodInput): V1Pod {
  return {
    metadata: { uid, ...(deleting && { deletionTimestamp: new Date(0) }) },
    spec: {
      containers: [],
      initContainers: [{ name: "db", restartPolicy: "Always" }, { name: "migrate" }],
    },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: containers,
      initContainerStatuses: init,
      ...changes,
    },
  };
}

const waiting = (reason: string, message?: string) => ({
  ready: false,
  state: { waiting: { reason, ...(message && { message }) } },
});
const lost = (reason: string, message: string) => ({ state: "lost", reason, message });

test.each<[string, V1Pod[], BoundPod | undefined, object]>([
  ["no Pod yet", [], undefined, { state: "absent" }],
  ["no Pod any more", [], bound, lost("pod_deleted", "The teststack's Pod was deleted.")],
  ["ready", [pod({})], undefined, { state: "ready" }],
  ["still the same, still ready", [pod({})], bound, { state: "ready" }],
  ["unready for a while", [pod({ ready: false })], bound, { state: "starting", waitingFor: undefined }],
  ["another Pod", [pod({ uid: "uid-2" })], bound, { state: "lost", reason: "pod_replaced" }],
  [
    "the old one beside a new one",
    [pod({ uid: "uid-2" }), pod({ deleting: true })],
    bound,
    { state: "lost", reason: "pod_deleted" },
  ],
  ["being deleted", [pod({ deleting: true })], bound, { state: "lost", reason: "pod_deleted" }],
  [
    "an earlier one being deleted",
    [pod({ deleting: true })],
    undefined,
    { state: "starting", waitingFor: "an earlier Pod is being deleted" },
  ],
  [
    "evicted",
    [pod({ changes: { phase: "Failed", reason: "Evicted", message: "The node was low on memory." } })],
    bound,
    lost("pod_failed", "The teststack's Pod has ended (Evicted: The node was low on memory.)."),
  ],
  [
    "creating",
    [pod({ ready: false, containers: [container("envoy", waiting("ContainerCreating"))] })],
    undefined,
    { state: "starting", waitingFor: "starting envoy" },
  ],
  [
    "without its image",
    [pod({ ready: false, containers: [container("envoy", waiting("ImagePullBackOff", "Back-off pulling image x"))] })],
    undefined,
    { state: "starting", waitingFor: "container envoy: ImagePullBackOff, Back-off pulling image x" },
  ],
  [
    "without a node",
    [
      pod({
        containers: [],
        changes: { conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes are available" }] },
      }),
    ],
    undefined,
    { state: "starting", waitingFor: "no node for it: 0/3 nodes are available" },
  ],
  [
    "impatient at the start",
    [pod({ ready: false, containers: [container("envoy", { restartCount: 3, ...waiting("CrashLoopBackOff") })] })],
    undefined,
    { state: "starting", waitingFor: "container envoy: CrashLoopBackOff" },
  ],
  [
    "crashing again and again",
    [pod({ ready: false, containers: [container("envoy", { restartCount: 4, lastState: crashed })] })],
    undefined,
    lost("container_cannot_start", "Container envoy cannot start: it ended (Error, exit code 3) 4 times."),
  ],
  [
    "restarted",
    [pod({ containers: [container("envoy"), container("runner", { restartCount: 1, lastState: killed })] })],
    bound,
    lost("container_restarted", "Container runner ended (OOMKilled, signal 9); the test was lost with it."),
  ],
  [
    "ended, not yet restarted",
    [pod({ containers: [container("envoy", { state: crashed })] })],
    bound,
    { state: "lost", reason: "container_restarted" },
  ],
  [
    "a sidecar restarted",
    [pod({ init: [container("db", { restartCount: 1, lastState: crashed })] })],
    bound,
    { state: "lost", reason: "container_restarted" },
  ],
  [
    "an init container that ended is as it should be",
    [pod({ init: [container("migrate", { state: { terminated: { exitCode: 0 } }, restartCount: 2 })] })],
    bound,
    { state: "ready" },
  ],
  [
    "restarts from before it was ready do not count",
    [pod({ containers: [container("envoy", { restartCount: 2 })] })],
    { uid: "uid-1", restarts: 2 },
    { state: "ready" },
  ],
])("%s", (_, pods, boundPod, expected) => {
  expect(assessPod(pods, boundPod)).toMatchObject(expected);
});

test("restarts are counted over containers and sidecars", () => {
  const init = [container("db", { restartCount: 2 }), container("migrate", { restartCount: 5 })];
  expect(countRestarts(pod({ containers: [container("envoy", { restartCount: 1 })], init }))).toBe(3);
});

/** As injectors change a Pod: an init container that redirects its traffic, and their proxy before all other containers. */
describe.each([
  ["Linkerd", "linkerd-init", "linkerd-proxy"],
  ["Istio", "istio-init", "istio-proxy"],
  ["TESTSTACK_ENCRYPTION=sidecar", "migrate", "tls"],
])("a Pod with the sidecar of %s", (_, redirect, proxy) => {
  function injected(containers: { proxy?: Partial<V1ContainerStatus>; runner?: Partial<V1ContainerStatus> }): V1Pod {
    const ended = { state: { terminated: { exitCode: 0, reason: "Completed" } } };
    const init = [container(redirect, ended), container(proxy, { started: true, ...containers.proxy })];
    const statuses = [container("envoy", containers.runner)];
    const isReady = [...init.slice(1), ...statuses].every(({ ready }) => ready);
    const made = pod({ ready: isReady, containers: statuses, init });
    const initContainers = [{ name: redirect }, { name: proxy, restartPolicy: "Always" }];
    return { ...made, spec: { containers: [], initContainers } };
  }

  test.each<[string, V1Pod, BoundPod | undefined, object]>([
    ["is ready with its proxy", injected({}), undefined, { state: "ready" }],
    [
      "waits for its proxy, and says so",
      injected({ proxy: { ready: false }, runner: waiting("PodInitializing") }),
      undefined,
      { state: "starting", waitingFor: `starting ${proxy}, envoy` },
    ],
    [
      "waits for its runner behind the proxy",
      injected({ runner: { ready: false } }),
      undefined,
      { state: "starting", waitingFor: "starting envoy" },
    ],
    [
      "cannot start without its proxy",
      injected({ proxy: { ready: false, restartCount: 4, lastState: crashed } }),
      undefined,
      { state: "lost", reason: "container_cannot_start" },
    ],
    [
      "keeps its test when the proxy has restarted",
      injected({ proxy: { restartCount: 1, lastState: killed } }),
      bound,
      { state: "ready" },
    ],
    [
      "is unready, and no more, while the proxy is down",
      injected({ proxy: { ready: false, state: killed } }),
      bound,
      { state: "starting" },
    ],
    [
      "loses its test with its runner",
      injected({ runner: { restartCount: 1, lastState: crashed } }),
      bound,
      { state: "lost", reason: "container_restarted" },
    ],
  ])("%s", (_what, injectedPod, boundPod, expected) => {
    expect(assessPod([injectedPod], boundPod)).toMatchObject(expected);
  });
});
