import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { TestDatabase } from "@cactus/db/testing";
import { startTestCluster, type TestCluster } from "./_cluster.ts";
import { readMetrics } from "./_figures.ts";
import { openUser, type TestUser } from "./_installation.ts";
import { prepareSurroundings, type TestOrchestrator, toTestOrchestrator } from "./_orchestrator.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** An orchestrator's process, which can be ended and started again. */
export interface Replica extends AsyncDisposable {
  /** Where it listens, or has listened. */
  readonly url: string;
  /** What it has written to standard output, of all its lives. */
  readonly log: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when it has gone. */
  stop(): Promise<void>;
  /** Starts it (again) and waits until it listens. */
  start(): Promise<void>;
}

export function prepareReplica(environment: Record<string, string>): Replica {
  let child: ChildProcess | undefined;
  let url = "";
  let log = "";

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  return {
    get url() {
      return url;
    },
    get log() {
      return log;
    },
    kill: () => end("SIGKILL"),
    async stop() {
      await end("SIGTERM");
      if (child?.exitCode) throw new Error(`it left with exit code ${child.exitCode}`);
    },
    async start() {
      child = spawn(process.execPath, ["--conditions=@cactus/source", MAIN], {
        env: { PATH: process.env["PATH"], ...environment },
        stdio: ["ignore", "pipe", "inherit", "ipc"],
      });
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        log += text;
      });
      const limit = { signal: AbortSignal.timeout(60_000) };
      // Whoever kills it while it starts, starts it again.
      const [message] = await Promise.race([once(child, "message", limit), once(child, "exit", limit)]);
      if (child.signalCode === "SIGKILL") return;
      if (child.exitCode !== null) throw new Error(`it did not start: exit code ${child.exitCode}`);
      url = (message as { url: string }).url;
    },
    [Symbol.asyncDispose]: () => end("SIGTERM"),
  };
}

/** An orchestrator as a process of its own, which can be killed and started again, and one of its users. */
export interface OrchestratorProcess extends Omit<Replica, "stop"> {
  user: TestUser;
  sign: TestOrchestrator["sign"];
  database: TestDatabase;
  /** Bytes of memory that the process has in RAM now. */
  residentBytes(): Promise<number>;
  /** Kills it and starts it again. */
  restart(): Promise<void>;
}

export interface OrchestratorProcessOptions {
  variables: Record<string, string>;
  /** Puts something between it and its database: takes and gives a URL. */
  wrapDatabase?: (url: string) => Promise<string>;
}

/** Prepares an orchestrator, with a database of its own, that is not started yet. */
export async function prepareOrchestratorProcess(options: OrchestratorProcessOptions): Promise<OrchestratorProcess> {
  await using stack = new AsyncDisposableStack();
  const surroundings = stack.use(await prepareSurroundings(options.variables));
  const { environment } = surroundings;
  const database = environment["ORCHESTRATOR_DATABASE_URL"] ?? "";
  const wrapped = { ORCHESTRATOR_DATABASE_URL: (await options.wrapDatabase?.(database)) ?? database };
  const replica = stack.use(prepareReplica({ ...environment, ...wrapped }));
  const orchestrator = toTestOrchestrator(surroundings, () => replica.url);
  const user = openUser(orchestrator, await surroundings.sign({ sub: "tester" }));
  const owned = stack.move();
  return {
    user,
    sign: surroundings.sign,
    database: surroundings.database,
    get url() {
      return replica.url;
    },
    get log() {
      return replica.log;
    },
    async residentBytes() {
      return (await readMetrics(replica.url, "process_resident_memory_bytes"))[0] ?? Number.NaN;
    },
    kill: replica.kill,
    start: replica.start,
    async restart() {
      await replica.kill();
      await replica.start();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Such an orchestrator on a local cluster of its own. */
export interface KillableInstallation extends OrchestratorProcess {
  cluster: TestCluster;
}

export async function startKillableInstallation(variables: Record<string, string> = {}): Promise<KillableInstallation> {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startTestCluster());
  const orchestrator = stack.use(
    await prepareOrchestratorProcess({ variables: { ...cluster.variables, ...variables } }),
  );
  await orchestrator.start();
  const owned = stack.move();
  return {
    ...orchestrator,
    get url() {
      return orchestrator.url;
    },
    get log() {
      return orchestrator.log;
    },
    cluster,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
