import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, openSync, readFileSync } from "node:fs";
import { cp, mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureBinary } from "./binary.ts";
import { command } from "./command.ts";
import { writeCredentials } from "./credentials.ts";
import { loadOwnImages } from "./node-image.ts";
import { ensurePackages } from "./packages.ts";
import { places } from "./places.ts";
import { until, untilReady } from "./readiness.ts";
import { takeTurn } from "./turn.ts";

export interface TestCluster extends AsyncDisposable {
  /** File of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** File in which the API server notes each request (a JSON object a line, level Metadata). */
  readonly auditLog: string;
  /** Folder of the parts' logs. */
  readonly logs: string;
  /** A kubectl of the cluster's own version. */
  readonly kubectl: string;
}

export interface StartOptions {
  /** The cluster goes on when this process ends. It ends with it otherwise, even by `kill -9`. */
  isKept?: boolean;
}

const settings = new URL("../node", import.meta.url).pathname;

/**
 * Starts the machine's test cluster, all of it ready: node, controllers, names, Services. Builds it first where that is
 * to do; waits while another process has it. Needs Linux and root.
 *
 * @throws {Error} when one is kept running, or when it does not get ready; its logs are kept then
 */
export async function startTestCluster({ isKept = false }: StartOptions = {}): Promise<TestCluster> {
  await ensurePackages();
  const binaries = await ensureBinary();
  await using stack = new AsyncDisposableStack();
  stack.use(await takeTurn({ isPatient: true }));
  if (findNode() !== undefined) await refuseKept();
  await removeCluster();
  await writeSettings();
  const { token, ca } = await writeCredentials();
  const node = launchNode(binaries, isKept);
  await writeFile(places.pid, String(node.pid));
  try {
    await untilUp(node, token, ca);
  } catch (cause) {
    await endNode();
    throw new Error(`the test cluster did not get ready: see ${places.logs} and ${places.state}/start.log`, { cause });
  }
  stack.defer(removeCluster);
  const owned = stack.move();
  return {
    kubeconfig: places.kubeconfig,
    auditLog: places.auditLog,
    logs: places.logs,
    kubectl: join(binaries, "kubectl"),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A cluster whose process has just been killed is about to end; one that does not is meant to stay. */
async function refuseKept(): Promise<void> {
  await sleep(3000);
  if (findNode() !== undefined) throw new Error("a test cluster is kept running on this machine: take it down first");
}

/**
 * Ends the machine's kept test cluster, if there is one, and removes all that it was.
 *
 * @throws {Error} when the cluster is another process's, a test run's say
 */
export async function stopTestCluster(): Promise<void> {
  await using _ = await takeTurn({ isPatient: false });
  await removeCluster();
}

async function removeCluster(): Promise<void> {
  await endNode();
  await rm(places.state, { recursive: true, force: true });
}

async function writeSettings(): Promise<void> {
  for (const folder of [join(places.var, "tmp"), places.logs, places.run, join(places.settings, "bin")])
    await mkdir(folder, { recursive: true });
  await symlink("/run", join(places.var, "run"));
  await cp(settings, places.settings, { recursive: true });
  await mkdir(join(places.settings, "cni"));
  await cp(join(settings, "cni.conflist"), join(places.settings, "cni/pods.conflist"));
}

function launchNode(binaries: string, isKept: boolean): ChildProcess {
  const log = openSync(join(places.state, "start.log"), "a");
  const machine = openSync("/proc/self/ns/net", "r");
  const node = spawn("unshare", argumentsOf(binaries), {
    detached: true,
    stdio: ["ignore", log, log, machine, ...(isKept ? [] : ["pipe" as const])],
  });
  node.unref();
  return node;
}

function argumentsOf(binaries: string): string[] {
  const own = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return [...own, "bash", join(settings, "start.sh"), places.state, binaries];
}

async function untilUp(node: ChildProcess, token: string, ca: string): Promise<void> {
  const ended = new Promise<never>((_, reject) => {
    node.once("exit", () => reject(new Error("the node has ended")));
  });
  const images = until("containerd listens", async () => existsSync(places.containerd)).then(loadOwnImages);
  await Promise.race([ended, Promise.all([images, untilReady(token, ca)])]);
}

/** The process id of the running node. */
function findNode(): number | undefined {
  try {
    const pid = Number(readFileSync(places.pid, "utf8"));
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return line.includes(`\0${places.state}\0`) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** With its first process a namespace loses all others, its mounts and its network. */
async function endNode(): Promise<void> {
  const pid = findNode();
  if (pid !== undefined) process.kill(pid, "SIGKILL");
  await until("the node is gone", async () => !existsSync("/sys/class/net/cactus-kube"));
  await removeControlGroups();
}

async function removeControlGroups(): Promise<void> {
  const roots = ["/sys/fs/cgroup", ...(await readdir("/sys/fs/cgroup")).map((name) => join("/sys/fs/cgroup", name))];
  for (const root of roots) {
    const group = join(root, "kubepods");
    if (existsSync(group)) await command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";");
  }
}
