import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { podPort } from "../src/node-agent/pod-port.ts";
import { findProcessIdentity } from "../src/node-agent/process-identity.ts";
import { NAMESPACE } from "./_cluster.ts";
import { eventually } from "./_eventually.ts";
import { type AgentFixture, isReady, shell, startAgentFixture, statusOf } from "./_node-agent.ts";

let fixture: AgentFixture;
beforeEach(async () => {
  fixture = await startAgentFixture();
  return () => fixture[Symbol.asyncDispose]();
});

const path = (name: string) => join(fixture.folder, name);
const read = (name: string) => (existsSync(path(name)) ? readFileSync(path(name), "utf8") : "");
const touch = (name: string) => writeFileSync(path(name), "");
/** Scripts run in the fixture's folder, where they leave notes and wait for files. */
const until = (name: string) => `while [ ! -e ${name} ]; do sleep 0.02; done`;
const note = (word: string) => `echo ${word} >> notes`;
const notes = () => read("notes").split("\n").filter(Boolean);
const deletePod = (name: string, gracePeriodSeconds?: number) =>
  fixture.cluster.delete(
    { resource: "pods", namespace: NAMESPACE, name },
    gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
  );
const isGone = (name: string) =>
  fixture.getPod(name).then(
    () => false,
    (error) => error.code === 404,
  );
const condition = async (type: string) =>
  (await fixture.getPod("a")).status?.conditions?.find((one) => one.type === type);
const exists = { exec: { command: ["test", "-e", "ready"] } };

test("starts init containers one after the other, sidecars as soon as they are started, and the rest then", async () => {
  const sidecar = {
    restartPolicy: "Always",
    startupProbe: { exec: { command: ["test", "-e", "started"] }, periodSeconds: 1 },
  };
  await fixture.createPod("a", {
    initContainers: [
      shell("first", `${note("first")}; ${until("go-first")}`),
      shell("side", `${note("side")}; exec sleep 1000`, sidecar),
      shell("second", note("second")),
    ],
    containers: [shell("main", `${note("main")}; exec sleep 1000`)],
  });
  await eventually(notes).toEqual(["first"]);
  const waiting = await fixture.untilPod("a", (pod) => statusOf(pod, "first")?.state?.running !== undefined);
  expect(waiting.status?.phase).toBe("Pending");
  expect(statusOf(waiting, "main")?.state).toEqual({ waiting: { reason: "PodInitializing" } });
  expect(await condition("Initialized")).toMatchObject({
    ...{ status: "False", reason: "ContainersNotInitialized" },
    message: "containers with incomplete status: [first side second]",
  });
  touch("go-first");
  await eventually(notes).toEqual(["first", "side"]);
  await fixture.untilPod(
    "a",
    (pod) => statusOf(pod, "side")?.state?.running !== undefined && statusOf(pod, "side")?.started === false,
  );
  touch("started");
  const pod = await fixture.untilPod("a", isReady);
  await eventually(notes).toEqual(["first", "side", "second", "main"]);
  expect(statusOf(pod, "first")).toMatchObject({
    ready: true,
    restartCount: 0,
    state: { terminated: { exitCode: 0, reason: "Completed" } },
  });
  expect(pod.status?.phase).toBe("Running");
});

test("a failing init container is tried again, or fails the Pod that is never restarted", async () => {
  const init = shell("init", `${note("try")}; test -e go`);
  await fixture.createPod("a", { initContainers: [init], containers: [shell("main", "exec sleep 1000")] });
  await fixture.untilPod("a", (pod) => statusOf(pod, "init")?.state?.waiting?.reason === "CrashLoopBackOff");
  touch("go");
  const pod = await fixture.untilPod("a", isReady);
  expect(statusOf(pod, "init")?.restartCount).toBe(notes().length - 1);
  const failing = shell("init", "exit 4");
  await fixture.createPod("never", {
    restartPolicy: "Never",
    initContainers: [failing],
    containers: [shell("main", note("main"))],
  });
  const failed = await fixture.untilPod("never", ({ status }) => status?.phase === "Failed");
  expect(statusOf(failed, "init")?.state?.terminated).toMatchObject({ exitCode: 4, reason: "Error" });
  expect(notes()).not.toContain("main");
});

test.each([
  ["Always", "exit 0", "Running"],
  ["OnFailure", "exit 0", "Succeeded"],
  ["OnFailure", "exit 1", "Running"],
  ["Never", "exit 0", "Succeeded"],
  ["Never", "exit 1", "Failed"],
])("restartPolicy %s: after `%s` the Pod is %s", async (restartPolicy, script, phase) => {
  await fixture.createPod("a", {
    restartPolicy,
    containers: [shell("c", `${note("run")}; ${script}`), shell("d", "exit 0")],
  });
  const isRestarted = phase === "Running";
  const pod = await fixture.untilPod(
    "a",
    (pod) => pod.status?.phase === phase && (!isRestarted || (statusOf(pod, "c")?.restartCount ?? 0) > 1),
  );
  const exitCode = script === "exit 0" ? 0 : 1;
  const terminated = { exitCode, reason: exitCode === 0 ? "Completed" : "Error" };
  if (isRestarted) expect(statusOf(pod, "c")).toMatchObject({ lastState: { terminated } });
  else expect(statusOf(pod, "c")).toMatchObject({ ready: false, restartCount: 0, state: { terminated } });
  if (!isRestarted) expect(notes()).toEqual(["run"]);
});

test("a container that keeps ending is started at longer and longer intervals, and tells how it ended", async () => {
  const container = shell("c", "echo last words; kill -9 $$", { terminationMessagePolicy: "FallbackToLogsOnError" });
  await fixture.createPod("a", { containers: [container] });
  const pod = await fixture.untilPod("a", (pod) => statusOf(pod, "c")?.restartCount === 4);
  const status = statusOf(pod, "c");
  expect(status?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: "Error", message: "last words\n" });
  expect(pod.status?.phase).toBe("Running");
  const waiting = await fixture.untilPod("a", (pod) => statusOf(pod, "c")?.state?.waiting !== undefined);
  expect(statusOf(waiting, "c")?.state?.waiting).toEqual({
    reason: "CrashLoopBackOff",
    message: expect.stringMatching(/^back-off 0\.8s restarting failed container=c pod=a_test-execution\(.+\)$/),
  });
  const events = await fixture.events("a");
  expect(events.find(({ reason }) => reason === "BackOff")?.message).toMatch(
    /^Back-off restarting failed container c in pod a_/,
  );
  expect(events.find(({ reason }) => reason === "Started")?.count).toBeGreaterThanOrEqual(4);
});

test("readiness comes soon after the container says so, and goes when it no longer does", async () => {
  const readinessProbe = { ...exists, periodSeconds: 1, failureThreshold: 1 };
  await fixture.createPod("a", {
    containers: [shell("c", "exec sleep 1000", { readinessProbe }), shell("d", "exec sleep 1000")],
  });
  const unready = await fixture.untilPod("a", ({ status }) => status?.phase === "Running");
  expect(unready.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({
    ...{ status: "False", reason: "ContainersNotReady", message: "containers with unready status: [c]" },
  });
  touch("ready");
  const { lastTransitionTime } =
    (await fixture.untilPod("a", isReady)).status?.conditions?.find(({ type }) => type === "Ready") ?? {};
  rmSync(path("ready"));
  await fixture.untilPod("a", (pod) => !isReady(pod));
  expect((await condition("PodScheduled"))?.lastTransitionTime).toBeDefined();
  expect((await condition("Ready"))?.lastTransitionTime).not.toBe(lastTransitionTime);
  await eventually(() => fixture.events("a")).toContainEqual(
    expect.objectContaining({
      type: "Warning",
      reason: "Unhealthy",
      message: "Readiness probe failed: command exited with code 1",
    }),
  );
  expect(statusOf(await fixture.getPod("a"), "c")?.restartCount).toBe(0);
});

test("probes over HTTP and TCP reach the Pod at its own address, by number and by name", async () => {
  const server = `require("node:http").createServer((request, answer) => {
    answer.statusCode = request.headers["x-probe"] === "yes" && request.url === "/health?x" ? 302 : 503;
    answer.end();
  }).listen(process.env.PORT_8080 ?? 8080, process.env.IP)`;
  const container = {
    name: "c",
    command: ["node", "-e", server],
    env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
    ports: [{ name: "http", containerPort: 8080 }],
    startupProbe: { tcpSocket: { port: "http" }, periodSeconds: 1, failureThreshold: 60 },
    livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
    readinessProbe: { httpGet: { path: "/health?x", port: "http", httpHeaders: [{ name: "X-Probe", value: "yes" }] } },
  };
  const bad = { ...container, readinessProbe: { httpGet: { path: "/health", port: 8080 }, periodSeconds: 1 } };
  await fixture.createPod("a", { containers: [container] });
  await fixture.createPod("bad", { containers: [bad] });
  await fixture.untilPod("a", isReady);
  await eventually(() => fixture.events("bad")).toContainEqual(
    expect.objectContaining({
      reason: "Unhealthy",
      message: "Readiness probe failed: HTTP probe failed with statuscode: 503",
    }),
  );
  expect(isReady(await fixture.getPod("bad"))).toBe(false);
});

test("a container whose liveness or startup probe fails for good is ended and started again", async () => {
  const livenessProbe = { ...exists, periodSeconds: 1, failureThreshold: 1 };
  const startupProbe = {
    exec: { command: ["sh", "-c", "echo not yet; sleep 1000"] },
    timeoutSeconds: 1,
    periodSeconds: 1,
    failureThreshold: 1,
  };
  touch("ready");
  await fixture.createPod("a", {
    containers: [
      shell("live", "trap 'exit 7' TERM; sleep 1000 & wait", { livenessProbe }),
      shell("slow", "exec sleep 1000", { startupProbe }),
    ],
  });
  await fixture.untilPod(
    "a",
    (pod) => (statusOf(pod, "slow")?.restartCount ?? 0) > 0 && statusOf(pod, "live")?.restartCount === 0,
  );
  rmSync(path("ready"));
  const pod = await fixture.untilPod("a", (pod) => (statusOf(pod, "live")?.restartCount ?? 0) > 0);
  expect(statusOf(pod, "live")?.lastState?.terminated).toMatchObject({ exitCode: 7, reason: "Error" });
  expect(statusOf(pod, "slow")?.lastState?.terminated).toMatchObject({ exitCode: 143 });
  const messages = (await fixture.events("a")).map(({ reason, message }) => `${reason}: ${message}`);
  expect(messages).toEqual(
    expect.arrayContaining([
      "Unhealthy: Startup probe failed: timed out after 1s",
      "Killing: Container slow failed startup probe, will be restarted",
      "Unhealthy: Liveness probe failed: command exited with code 1",
      "Killing: Container live failed liveness probe, will be restarted",
    ]),
  );
});

test("sidecars are restarted while the Pod runs, and end when it is done", async () => {
  const sidecar = { restartPolicy: "Always" };
  await fixture.createPod("a", {
    restartPolicy: "Never",
    initContainers: [
      shell("one", `trap '${note("one")}; exit 0' TERM; touch one; ${until("crash")}; rm crash one; exit 9`, sidecar),
      shell("two", `trap '${note("two")}; exit 0' TERM; touch two; sleep 1000 & wait`, sidecar),
    ],
    containers: [shell("main", `${until("done")}; ${note("main")}`)],
  });
  await fixture.untilPod("a", isReady);
  touch("crash");
  await fixture.untilPod("a", (pod) => statusOf(pod, "one")?.restartCount === 1 && isReady(pod));
  await eventually(() => existsSync(path("one")) && existsSync(path("two"))).toBe(true);
  touch("done");
  const pod = await fixture.untilPod("a", ({ status }) => status?.phase === "Succeeded");
  expect(notes()).toEqual(["main", "two", "one"]);
  expect(statusOf(pod, "one")?.state?.terminated?.exitCode).toBe(0);
});

test("deletion runs preStop, gives the grace period, ends sidecars last, and then the Pod is gone", async () => {
  const preStop = { exec: { command: ["sh", "-c", note("preStop")] } };
  const { metadata } = await fixture.createPod("a", {
    initContainers: [
      shell("side", `trap '${note("side")}; exit 0' TERM; sleep 1000 & wait`, { restartPolicy: "Always" }),
    ],
    containers: [
      shell("main", `trap '${note("main")}; ${until("bye")}; exit 0' TERM; sleep 1000 & wait`, {
        lifecycle: { preStop },
      }),
    ],
  });
  await fixture.untilPod("a", isReady);
  await deletePod("a", 1000);
  await eventually(notes).toEqual(["preStop", "main"]);
  expect((await fixture.getPod("a")).metadata.deletionTimestamp).toBeDefined();
  touch("bye");
  await eventually(() => isGone("a")).toBe(true);
  expect(notes()).toEqual(["preStop", "main", "side"]);
  expect(existsSync(path(`data/pods/${metadata.uid}`))).toBe(false);
  expect((await fixture.events("a")).map(({ message }) => message)).toEqual(
    expect.arrayContaining(["Stopping container main", "Stopping container side"]),
  );
});

test("a container that does not end is killed, when its grace is over or is made shorter", async () => {
  const stubborn = shell("c", "trap '' TERM; echo $$ > pid; while true; do sleep 1000; done");
  await fixture.createPod("a", { containers: [stubborn] });
  await fixture.untilPod("a", isReady);
  await eventually(() => read("pid")).toMatch(/\d/);
  const pid = Number(read("pid"));
  await deletePod("a", 1000);
  await fixture.untilPod("a", ({ metadata }) => metadata.deletionTimestamp !== undefined);
  expect(findProcessIdentity(pid)).toBeDefined();
  await deletePod("a", 1);
  await eventually(() => isGone("a")).toBe(true);
  await eventually(() => findProcessIdentity(pid)).toBeUndefined();
});

test("a Pod that is deleted by force, or while it waits, leaves nothing behind", async () => {
  await fixture.createPod("a", {
    containers: [shell("c", "trap '' TERM; echo $$ > pid; while true; do sleep 1000; done")],
  });
  await fixture.createPod("waiting", { containers: [{ name: "c", image: "nope" }, shell("crashing", "exit 1")] });
  await fixture.untilPod("a", isReady);
  await eventually(() => read("pid")).toMatch(/\d/);
  await deletePod("a", 0);
  expect(await isGone("a")).toBe(true);
  await eventually(() => findProcessIdentity(Number(read("pid")))).toBeUndefined();
  await fixture.untilPod("waiting", (pod) => statusOf(pod, "crashing")?.state?.waiting !== undefined);
  await deletePod("waiting");
  await eventually(() => isGone("waiting")).toBe(true);
  // A Pod of the same name is another Pod.
  await fixture.createPod("a", { containers: [shell("c", "exec sleep 1000")] });
  expect(statusOf(await fixture.untilPod("a", isReady), "c")?.restartCount).toBe(0);
});

test("a finished Pod stays finished, and goes when it is deleted", async () => {
  await fixture.createPod("a", { restartPolicy: "Never", containers: [shell("c", note("run"))] });
  await fixture.untilPod("a", ({ status }) => status?.phase === "Succeeded");
  await fixture.cluster.patch(
    { resource: "pods", namespace: NAMESPACE, name: "a" },
    { metadata: { labels: { x: "y" } } },
  );
  await deletePod("a");
  await eventually(() => isGone("a")).toBe(true);
  expect(notes()).toEqual(["run"]);
});

test("a Pod that somebody else says has failed is ended, and what they say stands", async () => {
  await fixture.createPod("a", {
    containers: [shell("c", `trap '${note("bye")}; exit 0' TERM; ${note("run")}; sleep 1000 & wait`)],
  });
  await fixture.untilPod("a", isReady);
  await eventually(notes).toEqual(["run"]);
  const conditions = [
    ...((await fixture.getPod("a")).status?.conditions ?? []),
    { type: "DisruptionTarget", status: "True" },
  ];
  const status = { phase: "Failed", reason: "Evicted", message: "The node was low on resource", conditions };
  await fixture.cluster.patch({ resource: "pods", namespace: NAMESPACE, name: "a" }, { status }, "status");
  const pod = await fixture.untilPod("a", (pod) => statusOf(pod, "c")?.state?.terminated !== undefined);
  expect(pod.status).toMatchObject({ phase: "Failed", reason: "Evicted" });
  expect(pod.status?.conditions).toContainEqual({ type: "DisruptionTarget", status: "True" });
  expect(pod.status?.conditions).toContainEqual(
    expect.objectContaining({ type: "Ready", status: "False", reason: "PodFailed" }),
  );
  expect(notes()).toEqual(["run", "bye"]);
});

test("fifty Pods start together, each at its own address, and go together", async () => {
  const names = Array.from({ length: 50 }, (_, index) => `pod-${index}`);
  let patches = 0;
  const watch = fixture.cluster.watch("pods", {}, ({ type }) => {
    patches += type === "MODIFIED" ? 1 : 0;
  });
  const readinessProbe = { exec: { command: ["true"] } };
  const container = shell("c", "exec sleep 1000", { readinessProbe, ports: [{ containerPort: 80 }] });
  await Promise.all(names.map((name) => fixture.createPod(name, { containers: [container] })));
  const pods = await Promise.all(names.map((name) => fixture.untilPod(name, isReady)));
  expect(new Set(pods.map((pod) => `${pod.status?.podIP}:${podPort(pod, 80)}`)).size).toBe(50);
  // Ports told (where Pods have no addresses), started, ready: no write without a change.
  expect(patches).toBeLessThanOrEqual(150);
  watch[Symbol.dispose]();
  await Promise.all(names.map((name) => deletePod(name)));
  await eventually(async () => (await fixture.cluster.list("pods")).items.length).toBe(0);
});
