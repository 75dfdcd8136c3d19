import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { ClusterApi } from "../src/cluster-api.ts";
import type { NodeAgentOptions } from "../src/node-agent/node-agent.ts";
import type { Pod, PodSpec } from "../src/node-agent/pod-model.ts";
import { findProcessIdentity } from "../src/node-agent/process-identity.ts";
import { NAMESPACE, openCluster } from "./_cluster.ts";
import { eventually } from "./_eventually.ts";
import { buildPod, isReady, shell, statusOf, untilPod } from "./_node-agent.ts";
import { serveCluster } from "./_remote-cluster.ts";

let folder: string;
let cluster: ClusterApi;
let agents: ChildProcess[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "cactus-agent-"));
  agents = [];
  const opened = await openCluster();
  cluster = opened.cluster;
  return async () => {
    await Promise.all(agents.map((agent) => end(agent, "SIGTERM")));
    opened[Symbol.dispose]();
    const left = readdirSync(join(folder, "data/processes"));
    rmSync(folder, { recursive: true, force: true });
    expect(left).toEqual([]);
  };
});

/** Starts a node agent as a process of its own. */
async function startAgent(options: Partial<NodeAgentOptions> = {}): Promise<ChildProcess> {
  const agent = fork(new URL("_agent-process.ts", import.meta.url), [folder, JSON.stringify(options)]);
  agents.push(agent);
  serveCluster(agent, cluster);
  const ready = Promise.withResolvers<void>();
  agent.on("message", (message: object) => "ready" in message && ready.resolve());
  agent.once("exit", () => ready.reject(new Error("the agent ended")));
  await ready.promise;
  return agent;
}

async function end(agent: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  agents = agents.filter((other) => other !== agent);
  if (agent.exitCode !== null || agent.signalCode !== null) return;
  agent.kill(signal);
  await once(agent, "exit");
}

const createPod = (name: string, spec: Partial<PodSpec>) => cluster.create<Pod>("pods", buildPod(name, spec));
const getPod = (name = "a") => cluster.get<Pod>({ resource: "pods", namespace: NAMESPACE, name });
const untilA = (isSo: (pod: Pod) => boolean) => untilPod(() => getPod(), isSo);
const deletePod = (gracePeriodSeconds: number) =>
  cluster.delete({ resource: "pods", namespace: NAMESPACE, name: "a" }, { gracePeriodSeconds });
const note = (word: string) => `echo ${word} >> notes`;
const notes = () =>
  existsSync(join(folder, "notes")) ? readFileSync(join(folder, "notes"), "utf8").trim().split("\n") : [];
/** The process that wrote its id into a file; a Pod may be ready before its script has come so far. */
const pidOf = async (name: string) => {
  await eventually(() => existsSync(join(folder, name))).toBe(true);
  return Number(readFileSync(join(folder, name), "utf8"));
};
const isRunning = (pid: number) => findProcessIdentity(pid) !== undefined;
const pidFile = (name: string) => `echo $$ > ${name}.new; mv ${name}.new ${name}`;

test("after kill -9 the processes go on, and the next agent takes them over as they are", async () => {
  const first = await startAgent();
  const readinessProbe = { exec: { command: ["test", "-e", "ready"] }, periodSeconds: 1, failureThreshold: 1 };
  writeFileSync(join(folder, "ready"), "");
  await createPod("a", {
    initContainers: [shell("init", note("init"))],
    containers: [
      shell(
        "c",
        `${pidFile("pid")}; echo before; while [ ! -e after ]; do sleep 0.05; done; echo after; exec sleep 1000`,
        { readinessProbe },
      ),
    ],
  });
  const before = await untilA(isReady);
  const pid = await pidOf("pid");
  await end(first, "SIGKILL");
  writeFileSync(join(folder, "after"), "");
  await startAgent();
  expect(isRunning(pid)).toBe(true);
  rmSync(join(folder, "ready"));
  const after = await untilA((pod) => !isReady(pod));
  const { ready: _, ...known } = statusOf(before, "c") ?? {};
  expect(statusOf(after, "c")).toMatchObject(known);
  expect([after.status?.podIP, after.status?.startTime]).toEqual([before.status?.podIP, before.status?.startTime]);
  expect(notes()).toEqual(["init"]);
  process.kill(pid, "SIGKILL");
  const restarted = await untilA(
    (pod) => statusOf(pod, "c")?.restartCount === 1 && statusOf(pod, "c")?.state?.running !== undefined,
  );
  expect(statusOf(restarted, "c")?.lastState?.terminated).toMatchObject({
    exitCode: 137,
    reason: "ContainerStatusUnknown",
  });
  expect(notes()).toEqual(["init"]);
  await deletePod(1);
  await eventually(() => getPod().catch(({ code }) => code)).toBe(404);
  await eventually(async () => isRunning(await pidOf("pid"))).toBe(false);
});

test("containers that died while no agent was there are told and restarted by their policy", async () => {
  const first = await startAgent();
  const names = ["Always", "OnFailure", "Never"];
  for (const name of names) {
    const spec = {
      restartPolicy: name,
      initContainers: [shell("init", note(name))],
      containers: [shell("c", `${pidFile(name)}; exec sleep 1000`)],
    };
    await createPod(name.toLowerCase(), spec);
  }
  for (const name of names) await untilPod(() => getPod(name.toLowerCase()), isReady);
  await end(first, "SIGKILL");
  for (const name of names) process.kill(await pidOf(name), "SIGKILL");
  await startAgent();
  const never = await untilPod(
    () => getPod("never"),
    ({ status }) => status?.phase === "Failed",
  );
  const unknown = { exitCode: 137, reason: "ContainerStatusUnknown" };
  expect(statusOf(never, "c")).toMatchObject({ restartCount: 0, state: { terminated: unknown } });
  for (const name of ["always", "onfailure"]) {
    // What the agent before said of it stands until this one has looked.
    const isAgain = (pod: Pod): boolean => isReady(pod) && statusOf(pod, "c")?.restartCount !== 0;
    const pod = await untilPod(() => getPod(name), isAgain);
    expect(statusOf(pod, "c")).toMatchObject({ restartCount: 1, lastState: { terminated: unknown } });
  }
  // Nothing of those was left: they were started from nothing, the init container too.
  expect(notes().toSorted()).toEqual(["Always", "Always", "Never", "OnFailure", "OnFailure"]);
});

test("processes whose Pods are no more are ended, and so is what they keep", async () => {
  const first = await startAgent();
  const { metadata } = await createPod("a", {
    containers: [shell("c", `trap '' TERM; ${pidFile("pid")}; while true; do sleep 1000; done`)],
  });
  await untilA(isReady);
  await pidOf("pid");
  await end(first, "SIGKILL");
  await deletePod(0);
  // Another Pod of the same name has nothing to do with the first.
  await createPod("a", { containers: [shell("c", "exec sleep 1000")] });
  expect(isRunning(await pidOf("pid"))).toBe(true);
  await startAgent();
  await eventually(async () => isRunning(await pidOf("pid"))).toBe(false);
  expect(existsSync(join(folder, "data/pods", metadata.uid ?? ""))).toBe(false);
  expect(statusOf(await untilA(isReady), "c")?.restartCount).toBe(0);
});

test("a deletion that an agent did not finish is finished by the next", async () => {
  const first = await startAgent();
  await createPod("a", {
    containers: [shell("c", `trap '${note("bye")}; exit 0' TERM; ${pidFile("pid")}; sleep 1000 & wait`)],
  });
  await untilA(isReady);
  await pidOf("pid");
  await end(first, "SIGKILL");
  await deletePod(5);
  await startAgent();
  await eventually(() => getPod().catch(({ code }) => code)).toBe(404);
  expect(notes()).toEqual(["bye"]);
  expect(isRunning(await pidOf("pid"))).toBe(false);
});

test("a probe's command that hangs does not outlive the agents", async () => {
  const first = await startAgent();
  const readinessProbe = {
    exec: { command: ["/bin/sh", "-c", `${pidFile("probe").replace("$$", "$$$$$$$$")}; sleep 1000`] },
    timeoutSeconds: 1000,
  };
  await createPod("a", { containers: [shell("c", "exec sleep 1000", { readinessProbe })] });
  const probe = await pidOf("probe");
  await end(first, "SIGKILL");
  expect(isRunning(probe)).toBe(true);
  rmSync(join(folder, "probe"));
  await startAgent();
  await eventually(() => isRunning(probe)).toBe(false);
  expect(statusOf(await getPod(), "c")?.restartCount).toBe(0);
});

test("a stop ends all processes with grace and keeps the Pods, which the next agent starts from nothing", async () => {
  const first = await startAgent({ onStop: { maxGraceSeconds: 1 } });
  await createPod("a", {
    initContainers: [shell("init", note("init"))],
    containers: [
      shell("polite", `trap '${note("bye")}; exit 0' TERM; ${pidFile("polite")}; sleep 1000 & wait`),
      shell("stubborn", `trap '' TERM; ${pidFile("stubborn")}; while true; do sleep 1000; done`),
    ],
  });
  await untilA(isReady);
  for (const name of ["polite", "stubborn"]) await pidOf(name);
  await end(first, "SIGTERM");
  expect([isRunning(await pidOf("polite")), isRunning(await pidOf("stubborn"))]).toEqual([false, false]);
  expect(readdirSync(join(folder, "data/processes"))).toEqual([]);
  const stopped = await getPod();
  expect(isReady(stopped)).toBe(false);
  expect(statusOf(stopped, "polite")?.state?.terminated).toMatchObject({ exitCode: 0 });
  expect(statusOf(stopped, "stubborn")?.state?.terminated).toMatchObject({ exitCode: 137 });
  await startAgent({ onStop: { maxGraceSeconds: 0 } });
  const again = await untilA(isReady);
  expect(statusOf(again, "polite")?.restartCount).toBe(1);
  expect(again.status?.podIP).toBe(stopped.status?.podIP);
  expect(notes()).toEqual(["init", "bye", "init"]);
});

test("a stop that leaves the processes leaves them as they are", async () => {
  const first = await startAgent({ onStop: "leave" });
  await createPod("a", { containers: [shell("c", `${pidFile("pid")}; exec sleep 1000`)] });
  const before = await untilA(isReady);
  await end(first, "SIGTERM");
  expect(isRunning(await pidOf("pid"))).toBe(true);
  await startAgent();
  const after = await untilA(isReady);
  expect(statusOf(after, "c")).toEqual(statusOf(before, "c"));
});

test.each(["addresses", "ports"] as const)(
  "killed at any moment while twenty Pods start (%s), it leaves nothing unnoticed",
  async (podNetwork) => {
    const names = Array.from({ length: 20 }, (_, index) => `pod-${index}`);
    const container = shell("c", "echo $$ >> pids; exec sleep 1000", { ports: [{ containerPort: 80 }] });
    for (const name of names) await createPod(name, { containers: [container] });
    const areReady = async () => (await Promise.all(names.map((name) => getPod(name)))).every(isReady);
    for (const calls of [4, 12, 25, 40, 60]) {
      const agent = await startAgent({ podNetwork });
      let made = 0;
      agent.on("message", () => {
        made += 1;
        if (made >= calls) agent.kill("SIGKILL");
      });
      await eventually(async () => agent.killed || (await areReady()), { interval: 5, timeout: 20_000 }).toBe(true);
      await end(agent, "SIGKILL");
    }
    await startAgent();
    const pods = await Promise.all(names.map((name) => untilPod(() => getPod(name), isReady)));
    const started = readFileSync(join(folder, "pids"), "utf8").trim().split("\n").map(Number);
    const running = started.filter(isRunning);
    expect(running.length).toBe(20);
    expect(new Set(readdirSync(join(folder, "data/processes")))).toEqual(new Set(running.map(String)));
    const reach = pods.map(
      ({ status, metadata }) => `${status?.podIP} ${metadata.annotations?.["local-cluster/ports"]}`,
    );
    expect(new Set(reach).size).toBe(20);
  },
);

test("an agent whose folder is lost starts its Pods anew, and tells that it does not know what became of them", async () => {
  const first = await startAgent();
  await createPod("a", { containers: [shell("c", `${pidFile("pid")}; exec sleep 1000`)] });
  await untilA(isReady);
  await end(first, "SIGKILL");
  process.kill(await pidOf("pid"), "SIGKILL");
  rmSync(join(folder, "data"), { recursive: true });
  await startAgent();
  const pod = await untilA((pod) => isReady(pod) && statusOf(pod, "c")?.restartCount === 1);
  expect(statusOf(pod, "c")?.lastState?.terminated?.reason).toBe("ContainerStatusUnknown");
});
