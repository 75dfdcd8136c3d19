import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStandalone, type StandaloneProcess } from "./_standalone.ts";

const CLI = fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url));
let standalone: StandaloneProcess;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cactus-cli-"));
  standalone = await createStandalone();
  await standalone.start();
}, 120_000);
afterAll(async () => {
  await standalone[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

interface Ended {
  code: number | null;
  output: string;
}

/** `cactus …`, in a pipe, in a folder of its own. */
async function cactus(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ["--conditions=@cactus/source", CLI, ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...standalone.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], ...texts] = await Promise.all([
    once(child, "exit") as Promise<[number | null]>,
    child.stdout.setEncoding("utf8").toArray(),
    child.stderr.setEncoding("utf8").toArray(),
  ]);
  return { code, output: texts.flat().join("") };
}

test.each(["ALL-01", "ALL-02", "GEN-01"])(
  "cactus run %s does the whole job, tells each stage, and saves the zip",
  async (procedure) => {
    const { code, output } = await cactus("run", procedure, "--out", `${procedure}.zip`);
    expect([code, output]).toEqual([0, expect.stringContaining("SHA-256 checked")]);
    for (const stage of [
      "certificate",
      "created",
      "ready",
      "routed",
      "initialised",
      "over mutual TLS",
      "started",
      "collected",
      "finalised",
      "gone",
    ]) {
      expect(output).toContain(stage);
    }
    for (const line of output.trimEnd().split("\n")) expect(line).toMatch(/^ +\d+\.\d\d s {2}[✔ ] \S/);
    expect((await readFile(join(folder, `${procedure}.zip`))).subarray(0, 2).toString()).toBe("PK");
  },
);

test("cactus certificate saves what a TLS client needs; what is private is its owner's alone", async () => {
  const { code, output } = await cactus("certificate", "--kind", "aggregator", "--out", "agg");
  expect(code).toBe(0);
  expect(output).toMatch(/LFDI +[0-9a-f]{40}\nSFDI +\d+/);
  expect((await readdir(join(folder, "agg"))).sort((a, b) => a.localeCompare(b))).toEqual([
    "ca.pem",
    "chain.pem",
    "client.p12",
    "client.p12.password",
    "key.pem",
  ]);
  for (const file of ["key.pem", "client.p12", "client.p12.password"]) {
    expect((await stat(join(folder, "agg", file))).mode & 0o077).toBe(0);
  }
});

test("cactus runs lists, cactus finalise ends a run and saves its zip, again without harm", async () => {
  const client = await standalone.client();
  const { certificateId } = await client.certificates.issue.mutate({ kind: "device" });
  const { runId } = await client.runs.create.mutate({ procedureId: "ALL-01", certificateId });
  await expect.poll(async () => (await client.runs.get.query({ runId })).status, { timeout: 20_000 }).toBe("started");
  expect((await cactus("runs")).output).toMatch(new RegExp(`^${runId}  .*  ALL-01 +started$`, "m"));
  for (const file of ["a.zip", "b.zip"])
    expect(await cactus("finalise", runId, "--out", file)).toMatchObject({ code: 0 });
  expect((await readFile(join(folder, "a.zip"))).equals(await readFile(join(folder, "b.zip")))).toBe(true);
});

test("what cannot be done is said in a line, with an exit code", async () => {
  await writeFile(join(folder, "bad.csr"), "no request");
  const refusals: [string[], string][] = [
    [["run", "NO-99"], "There is no test procedure NO-99: see procedures.list."],
    [["finalise", crypto.randomUUID()], "There is no run"],
    [["finalise", "x"], "runId"],
    [["certificate", "--csr", "bad.csr"], "certificate signing request"],
    [["--token", "x", "runs"], "The token is not one that is accepted here."],
    [["--url", "http://127.0.0.1:1", "runs"], "The orchestrator cannot be reached at http://127.0.0.1:1."],
    [["run"], "missing required argument 'procedure'"],
    [["runs", "--limit", "0"], "It must be a whole number from 1."],
  ];
  for (const [args, message] of refusals) {
    const { code, output } = await cactus(...args);
    expect([args, code, output]).toEqual([args, 1, expect.stringContaining(message)]);
    expect(output).not.toMatch(/\bat .*\.ts:\d+/);
  }
});
