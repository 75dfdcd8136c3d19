import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { AppsV1Api, CoreV1Api, KubeConfig, Watch } from "@kubernetes/client-node";
import { afterEach, beforeEach, expect, test } from "vitest";

/** The cluster as a process of its own: how it starts, how it ends, and what is there when it starts again. */
const MAIN = join(import.meta.dirname, "../src/main.ts");
const NAMESPACE = "default";
const SOON = { timeout: 30_000, interval: 50 };

interface Ready {
  kubeconfig: string;
  apiUrl: string;
  edgeUrl: string;
}

let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cactus-cluster-"));
});
afterEach(async () => {
  // Whatever a test left: started once more and ended as it should be, a cluster takes its Pods along.
  for (const child of children.splice(0)) await end(child, "SIGKILL");
  const last = launch();
  await readiness(last);
  await end(last, "SIGTERM");
  children.splice(0);
  await rm(folder, { recursive: true, force: true });
});

function launch(...args: string[]): ChildProcess {
  const flags = ["--data-dir", join(folder, "data"), "--image", "machine=/", ...args];
  const child = spawn(process.execPath, ["--conditions=@cactus/source", MAIN, ...flags], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  children.push(child);
  return child;
}

async function readiness(child: ChildProcess): Promise<Ready> {
  const [chunk] = await once(child.stdout ?? child, "data");
  return JSON.parse(String(chunk));
}

/** All that a process says before it gives up. */
async function complaint({ stderr }: ChildProcess): Promise<string> {
  if (stderr === null) throw new Error("the process has no standard error");
  return text(stderr);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

function connect({ kubeconfig }: Ready): { core: CoreV1Api; apps: AppsV1Api; config: KubeConfig } {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return { core: config.makeApiClient(CoreV1Api), apps: config.makeApiClient(AppsV1Api), config };
}

async function createSet({ apps }: { apps: AppsV1Api }): Promise<void> {
  const script = `
    console.log("process " + process.pid);
    const { createServer } = require("node:http");
    createServer((_, response) => response.end()).listen(process.env.PORT_8080 ?? 8080, process.env.POD_IP);
  `;
  const container = {
    name: "c",
    image: "machine",
    command: ["node", "-e", script],
    env: [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
    ports: [{ containerPort: 8080 }],
    readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
  };
  const template = {
    metadata: { labels: { app: "w" } },
    spec: { containers: [container], terminationGracePeriodSeconds: 1 },
  };
  const spec = { serviceName: "w", selector: { matchLabels: { app: "w" } }, template };
  await apps.createNamespacedStatefulSet({ namespace: NAMESPACE, body: { metadata: { name: "w" }, spec } });
}

async function untilReady({ core }: { core: CoreV1Api }): Promise<string> {
  const ready = async (): Promise<string | undefined> => {
    const pod = await core.readNamespacedPod({ namespace: NAMESPACE, name: "w-0" }).catch(() => undefined);
    return pod?.status?.conditions?.find(({ type }) => type === "Ready")?.status;
  };
  await expect.poll(ready, SOON).toBe("True");
  const log = await core.readNamespacedPodLog({ namespace: NAMESPACE, name: "w-0" });
  return /^process (\d+)$/m.exec(log)?.[1] ?? "none";
}

const isAlive = (pid: string): boolean => {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
};

test("killed hard, it comes back with its objects and its Pods as they were; a watch from before is told to list", async () => {
  const first = launch();
  const client = connect(await readiness(first));
  await createSet(client);
  const pid = await untilReady(client);
  const { metadata } = await client.core.listNamespacedPod({ namespace: NAMESPACE });
  await end(first, "SIGKILL");
  expect(isAlive(pid)).toBe(true);
  const second = connect(await readiness(launch()));
  expect(await untilReady(second)).toBe(pid);
  const pods = await second.core.listNamespacedPod({ namespace: NAMESPACE });
  expect(pods.items.map(({ status }) => status?.containerStatuses?.[0]?.restartCount)).toEqual([0]);
  expect(Number(pods.metadata?.resourceVersion)).toBeGreaterThan(Number(metadata?.resourceVersion));
  const events: unknown[] = [];
  const query = { resourceVersion: metadata?.resourceVersion };
  const onEvent = (type: string, object: object): void => void events.push({ type, ...object });
  await new Watch(second.config).watch(`/api/v1/namespaces/${NAMESPACE}/pods`, query, onEvent, () => undefined);
  await expect.poll(() => events, SOON).toMatchObject([{ type: "ERROR", code: 410, reason: "Expired" }]);
});

test("left by its parent it goes at once and its Pods stay; told to stop it takes them along", async () => {
  const first = launch();
  const client = connect(await readiness(first));
  await createSet(client);
  const pid = await untilReady(client);
  const exited = once(first, "exit");
  first.disconnect();
  expect(await exited).toEqual([0, null]);
  expect(isAlive(pid)).toBe(true);
  const second = launch();
  expect(await untilReady(connect(await readiness(second)))).toBe(pid);
  await end(second, "SIGTERM");
  expect(second.exitCode).toBe(0);
  // One that has ended is there until the first process of the machine has heard of it.
  await expect.poll(() => isAlive(pid), SOON).toBe(false);
});

test("says why it cannot start: the folder is in use, the port is taken, a flag is wrong", async () => {
  await readiness(launch());
  const second = launch();
  expect(await complaint(second)).toMatch(/cluster\.db cannot be used \(is another cluster running on it\?\)/);
  const blocker = createServer().listen(0, "127.0.0.1");
  await once(blocker, "listening");
  const address = blocker.address();
  const port = typeof address === "object" ? String(address?.port) : "";
  const third = launch("--data-dir", join(folder, "other"), "--api-port", port);
  expect(await complaint(third)).toContain(`EADDRINUSE: address already in use 127.0.0.1:${port}`);
  const fourth = launch("--data-dir", join(folder, "other"), "--pod-network", "none");
  expect(await complaint(fourth)).toContain("usage: main.ts --data-dir <folder>");
  blocker.close();
});
