import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { prepareSurroundings, type Surroundings } from "./_orchestrator.ts";
import { startTcpProxy } from "./_tcp-proxy.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const WAITS = "the database is away: the start waits for it";

interface Starting extends AsyncDisposable {
  process: ChildProcess;
  /** All that it has written until now. */
  readonly output: string;
  exited: Promise<unknown[]>;
}

/** Starts the service as a process, with another database than its own. */
function start({ environment }: Surroundings, databaseUrl: string): Starting {
  const child = spawn(process.execPath, ["--conditions=@cactus/source", MAIN], {
    env: {
      PATH: process.env["PATH"],
      ...environment,
      ORCHESTRATOR_DATABASE_URL: databaseUrl,
      LOG_LEVEL: "info",
    },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exited = once(child, "close");
  return {
    process: child,
    exited,
    get output() {
      return output;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function startBehindProxy(surroundings: Surroundings) {
  const url = new URL(surroundings.database.url);
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
  proxy.cut();
  url.hostname = "127.0.0.1";
  url.port = String(proxy.port);
  const starting = start(surroundings, url.href);
  return { proxy, starting };
}

const untilItWaits = (starting: Starting): Promise<void> =>
  vi.waitFor(() => expect(starting.output.split(WAITS).length).toBeGreaterThan(3), 45_000);

test("a database that is away at the start is waited for, and said so each time; then it serves", async () => {
  await using surroundings = await prepareSurroundings();
  const { proxy, starting } = await startBehindProxy(surroundings);
  await using _ = proxy;
  await using orchestrator = starting;
  await untilItWaits(orchestrator);
  proxy.restore();
  const [{ url }] = (await once(orchestrator.process, "message")) as [{ url: string }];
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(orchestrator.output).not.toContain(new URL(surroundings.database.url).password);
});

test("it can be stopped while it waits", async () => {
  await using surroundings = await prepareSurroundings();
  const { proxy, starting } = await startBehindProxy(surroundings);
  await using _ = proxy;
  await using orchestrator = starting;
  await untilItWaits(orchestrator);
  orchestrator.process.kill("SIGTERM");
  expect(await orchestrator.exited).toEqual([0, null]);
});

test.each<[string, (url: URL) => void, string]>([
  ["a wrong password", (url) => Object.assign(url, { password: "wrong" }), "refuses the user or the password"],
  ["an unknown database", (url) => Object.assign(url, { pathname: "/nowhere" }), "has no database of this name"],
])("%s ends it, with a sentence", async (_, change, sentence) => {
  await using surroundings = await prepareSurroundings();
  const url = new URL(surroundings.database.url);
  change(url);
  await using orchestrator = start(surroundings, url.href);
  expect(await orchestrator.exited).toEqual([1, null]);
  expect(orchestrator.output).toMatch(new RegExp(`^ORCHESTRATOR_DATABASE_URL: PostgreSQL ${sentence} \\(.*\\)\\.\n$`));
});
