import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createOrchestratorClient, type OrchestratorClient } from "@cactus/client";
import type { StandaloneInfo } from "../src/standalone.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** `pnpm start`, as a process of its own in a folder of its own. */
export interface StandaloneProcess extends AsyncDisposable {
  home: string;
  environment: Record<string, string>;
  /** What it has printed so far. */
  output(): string;
  info(): Promise<StandaloneInfo>;
  client(): Promise<OrchestratorClient>;
  /** Starts it (again) and waits until it says that it is up. */
  start(): Promise<void>;
  /** Sends a signal and waits for the end. Returns the exit code. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
  /** Command lines of the processes that name its folder. */
  listProcesses(): string[];
  /** Id of the process that it runs for this script. */
  findChild(script: string): number;
}

export async function createStandalone(): Promise<StandaloneProcess> {
  const home = await mkdtemp(join(tmpdir(), "cactus-standalone-"));
  await chmod(home, 0o755);
  const [port, edgePort] = [await findFreePort(), await findFreePort()];
  const environment = { CACTUS_HOME: home, PORT: String(port), EDGE_PORT: String(edgePort) };
  let child: ChildProcess | undefined;
  let printed = "";

  async function start(): Promise<void> {
    printed = "";
    child = runMain(environment);
    child.stdout?.on("data", (text) => (printed += text));
    child.stderr?.on("data", (text) => (printed += text));
    const ended = once(child, "exit").then(() => Promise.reject(new Error(`it ended: ${printed}`)));
    ended.catch(() => {});
    while (!printed.includes("is up (")) {
      await Promise.race([once(child.stdout ?? child, "data", { signal: AbortSignal.timeout(60_000) }), ended]);
    }
  }

  async function stop(signal: NodeJS.Signals): Promise<number | null> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
    return child.exitCode;
  }

  const info = async (): Promise<StandaloneInfo> => JSON.parse(await readFile(join(home, "standalone.json"), "utf8"));
  return {
    home,
    environment,
    output: () => printed,
    info,
    async client() {
      const { orchestratorUrl, token } = await info();
      return createOrchestratorClient({ url: orchestratorUrl, token });
    },
    start,
    stop,
    listProcesses: () => listAllProcesses().flatMap(({ command }) => (command.includes(home) ? [command] : [])),
    findChild(script) {
      const found = listAllProcesses().find(({ parent, command }) => parent === child?.pid && command.includes(script));
      if (found === undefined) throw new Error(`no process for ${script}`);
      return found.pid;
    },
    async [Symbol.asyncDispose]() {
      await stop("SIGINT");
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** The program itself, as `pnpm start` runs it. */
export function runMain(environment: Record<string, string>): ChildProcess {
  return spawn(process.execPath, ["--conditions=@cactus/source", MAIN], {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function listAllProcesses(): { pid: number; parent: number; command: string }[] {
  const { stdout } = spawnSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8", maxBuffer: 16 * 1024 * 1024 });
  return stdout.split("\n").map((line) => {
    const [pid, parent, ...command] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), command: command.join(" ") };
  });
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
