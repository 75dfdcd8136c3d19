import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startTestCluster, type TestCluster } from "./_cluster.ts";
import { openUser, type TestUser } from "./_installation.ts";
import { prepareSurroundings, toTestOrchestrator } from "./_orchestrator.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** An installation whose orchestrator is a process of its own, which can be killed and started again. */
export interface KillableInstallation extends AsyncDisposable {
  cluster: TestCluster;
  user: TestUser;
  readonly url: string;
  /** Bytes of memory that the process has in RAM now. */
  residentBytes(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it (again) and waits until it listens. */
  start(): Promise<void>;
}

export async function startKillableInstallation(variables: Record<string, string> = {}): Promise<KillableInstallation> {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startTestCluster());
  const kubeconfig = { KUBECONFIG: cluster.local.kubeconfigPath };
  const surroundings = stack.use(await prepareSurroundings({ ...cluster.variables, ...kubeconfig, ...variables }));
  let child: ChildProcess | undefined;
  let url = "";

  async function start(): Promise<void> {
    child = spawn(process.execPath, ["--conditions=@cactus/source", MAIN], {
      env: { PATH: process.env["PATH"], ...surroundings.environment },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const [message] = await once(child, "message", { signal: AbortSignal.timeout(30_000) });
    url = (message as { url: string }).url;
  }

  async function kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  stack.defer(() => kill("SIGTERM"));
  await start();
  const orchestrator = toTestOrchestrator(surroundings, () => url);
  const user = openUser(orchestrator, await surroundings.sign({ sub: "tester" }));
  const owned = stack.move();
  return {
    cluster,
    user,
    get url() {
      return url;
    },
    async residentBytes() {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return Number(/^process_resident_memory_bytes (\S+)/m.exec(metrics)?.[1]);
    },
    kill: () => kill(),
    start,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
