import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { simulatorMain } from "../src/index.ts";
import { open, send, sendJson } from "./_http.ts";
import { buildRunRequest, clientHeader, devicePem } from "./_run-requests.ts";

interface Started extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly url: string;
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "simulator-processes-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function launch(env: Record<string, string>): ChildProcess {
  const cache = join(folder, "compile-cache");
  return spawn(process.execPath, ["--conditions=@cactus/source", simulatorMain], {
    env: { PATH: process.env["PATH"], HOST: "127.0.0.1", PORT: "0", NODE_COMPILE_CACHE: cache, TMPDIR: folder, ...env },
  });
}

/** Starts a process, and waits until it says where it listens. */
async function start(env: Record<string, string> = {}): Promise<Started> {
  const child = launch(env);
  const ended = once(child, "exit").then(([code, signal]) => code ?? signal);
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (chunk) => {
      said += chunk;
      const [, found] = /simulator: (\S+)/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    ended.then((code) => reject(new Error(`ended with ${code}`)));
  });
  return {
    process: child,
    url,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

test("a faulty configuration ends it, and all mistakes are named", async () => {
  const child = launch({ PORT: "x", SILENT: "y" });
  const [complaint, [code]] = await Promise.all([child.stderr && text(child.stderr), once(child, "exit")]);
  expect(code).toBe(1);
  expect(complaint).toMatch(/PORT: expected .*\nSILENT: expected /);
});

test("SIGTERM ends it at once, in the middle of whatever it does, and its temporary files are gone", async () => {
  await using simulator = await start({ FINALIZE_SECONDS: "1000", FINALIZE_LIMIT_SECONDS: "2000" });
  await sendJson(simulator.url, "POST /initialise", buildRunRequest());
  await send(simulator.url, "GET /dcap", { headers: clientHeader(devicePem) });
  const temporary = async (): Promise<string[]> =>
    (await readdir(folder)).filter((name) => name.startsWith("teststack-"));
  expect(await temporary()).toHaveLength(1);
  const finalizing = open(simulator.url, "POST /finalize").answer.catch(() => "lost");
  simulator.process.kill("SIGTERM");
  expect(await simulator.ended).toBe(0);
  expect(await finalizing).toBe("lost");
  expect(await temporary()).toEqual([]);
});

test("a crash has the exit code that was asked for", async () => {
  await using simulator = await start({ CRASH_ON: "POST /start", CRASH_EXIT_CODE: "3" });
  await expect(send(simulator.url, "POST /start")).rejects.toThrow(/socket hang up|ECONNRESET/);
  expect(await simulator.ended).toBe(3);
});

test("files in a folder of one's own outlive the process", async () => {
  const dataDir = join(folder, "data");
  for (const known of [[], [0]]) {
    await using simulator = await start({ DATA_DIR: dataDir });
    expect(JSON.parse((await send(simulator.url, "GET /requests")).text).requestIds).toEqual(known);
    await sendJson(simulator.url, "POST /initialise", buildRunRequest());
    await send(simulator.url, "GET /dcap", { headers: clientHeader(devicePem) });
  }
});

test("50 started at once all become healthy", async () => {
  await using all = new AsyncDisposableStack();
  const simulators = await Promise.all(Array.from({ length: 50 }, async () => all.use(await start())));
  const answers = await Promise.all(simulators.map(({ url }) => send(url, "GET /health")));
  expect(answers.map(({ status }) => status)).toEqual(simulators.map(() => 200));
  expect(new Set(simulators.map(({ url }) => url)).size).toBe(50);
});

test("an archive of 300 MiB for a slow reader does not pass through memory", async () => {
  await using simulator = await start({ ARCHIVE_MIB: "300" });
  await sendJson(simulator.url, "POST /initialise", buildRunRequest());
  const measure = async (): Promise<number> => {
    const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(simulator.process.pid)]);
    return Number(stdout) / 1024;
  };
  const before = await measure();
  const response = await open(simulator.url, "POST /finalize").answer;
  let received = 0;
  let highest = before;
  for await (const chunk of response) {
    const boundary = Math.floor(received / 2 ** 24);
    received += chunk.length;
    // Nothing is read while the memory is measured, and the simulator has all the time to run ahead.
    if (Math.floor(received / 2 ** 24) > boundary) highest = Math.max(highest, await measure());
  }
  expect(received).toBe(Number(response.headers["content-length"]));
  expect(received).toBeGreaterThan(300 * 1024 * 1024);
  expect(highest - before).toBeLessThan(150);
});
