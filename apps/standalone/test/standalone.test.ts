import { readdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { followRun, type OrchestratorClient, type Run } from "@cactus/client";
import { connectCluster } from "@cactus/core/kubernetes";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askAsDevice, type DeviceFiles } from "./_device.ts";
import { createStandalone, runMain, type StandaloneProcess } from "./_standalone.ts";

let standalone: StandaloneProcess;
beforeAll(async () => {
  standalone = await createStandalone();
  await standalone.start();
}, 120_000);
afterAll(() => standalone[Symbol.asyncDispose](), 60_000);

async function until(client: OrchestratorClient, runId: string, kind: string): Promise<void> {
  for await (const event of followRun(client, { runId })) {
    if (event.kind === kind) return;
    if (event.kind === "failed") throw new Error(event.message);
  }
}

async function createLive(client: OrchestratorClient): Promise<{ run: Run; device: DeviceFiles }> {
  const issued = await client.certificates.issue.mutate({ kind: "device" });
  const { certificatePem: caPem } = await client.certificates.authority.query();
  const { runId } = await client.runs.create.mutate({ procedureId: "ALL-01", certificateId: issued.certificateId });
  await until(client, runId, "started");
  const device = { chainPem: issued.chainPem, privateKeyPem: issued.privateKeyPem ?? "", caPem };
  return { run: await client.runs.get.query({ runId }), device };
}

async function listObjects(): Promise<string[]> {
  await using cluster = connectCluster({ kubeconfig: (await standalone.info()).kubeconfig });
  const query = { namespace: "test-execution", labelSelector: "cactus-orchestrator/teststack" };
  const lists = await Promise.all([
    cluster.apps.listNamespacedStatefulSet(query),
    cluster.core.listNamespacedPod(query),
    cluster.core.listNamespacedService(query),
    cluster.networking.listNamespacedIngress(query),
  ]);
  return lists.flatMap(({ items }) => items.map(({ metadata }) => metadata?.name ?? ""));
}

async function runToEnd(client: OrchestratorClient): Promise<Run> {
  const { run, device } = await createLive(client);
  for (const page of ["dcap", "edev", "tm", "edev/1/der"]) {
    expect(await askAsDevice(device, new URL(page, run.testUrl ?? ""))).toBe(200);
  }
  await client.runs.finalise.mutate({ runId: run.runId });
  await until(client, run.runId, "gone");
  return client.runs.get.query({ runId: run.runId });
}

test("it says where everything is, in files that only their owner can read", async () => {
  expect(standalone.output()).toContain(`http://127.0.0.1:${standalone.environment["PORT"]}`);
  expect(standalone.output()).toContain("cactus run ALL-01");
  const info = await standalone.info();
  expect(info).toEqual({
    orchestratorUrl: `http://127.0.0.1:${standalone.environment["PORT"]}`,
    token: expect.stringMatching(/^ey/),
    kubeconfig: join(standalone.home, "cluster/kubeconfig"),
    edgeUrl: `https://localhost:${standalone.environment["EDGE_PORT"]}`,
    caCertificate: expect.stringContaining("BEGIN CERTIFICATE"),
    databaseUrl: expect.stringMatching(/^postgresql:/),
  });
  for (const file of ["standalone.json", "token-key.json", "database-password", "cluster/kubeconfig"]) {
    expect([file, (await stat(join(standalone.home, file))).mode & 0o077]).toEqual([file, 0]);
  }
  await expect
    .poll(async () => (await fetch(`${info.orchestratorUrl}/readyz`)).json(), { timeout: 20_000 })
    .toEqual({ status: "ok", database: "ok", cluster: "ok", certificates: "ok", teststacks: "ok" });
});

test("20 test runs at once, each over mutual TLS, all finalised with all criteria met, nothing left in the cluster", async () => {
  const client = await standalone.client();
  const runs = await Promise.all(Array.from({ length: 20 }, () => runToEnd(client)));
  for (const run of runs)
    expect(run).toMatchObject({ status: "finalised", allCriteriaMet: true, artifact: { kind: "complete" } });
  expect(new Set(runs.map((run) => run.artifact?.sha256)).size).toBe(20);
  expect(await listObjects()).toEqual([]);
}, 180_000);

test("a second one in the same folder, and a port that is taken, are told in words", async () => {
  const run = async (changes: Record<string, string>): Promise<[number | null, string]> => {
    const child = runMain({ ...standalone.environment, ...changes });
    const [stderr, [code]] = await Promise.all([
      child.stderr?.setEncoding("utf8").toArray(),
      new Promise<[number | null]>((resolve) => child.once("exit", (status) => resolve([status]))),
    ]);
    return [code, (stderr ?? []).join("").trim()];
  };
  expect(await run({})).toEqual([
    1,
    `Already running in ${standalone.home}. Stop it first, or set CACTUS_HOME to another folder.`,
  ]);
  const home = join(standalone.home, "other");
  const port = standalone.environment["PORT"] ?? "";
  const taken = `Port ${port} is in use. Set PORT to another one, as: PORT=${Number(port) + 1} npx -y pnpm@10 start`;
  expect(await run({ CACTUS_HOME: home })).toEqual([1, taken]);
  expect((await run({ CACTUS_HOME: home, PORT: "http" }))[1]).toBe(
    'PORT must be a port from 1 to 65535, and is "http".',
  );
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port: edge } = server.address() as { port: number };
  const free = String(Number(port) + 1);
  expect((await run({ CACTUS_HOME: home, PORT: free, EDGE_PORT: String(edge) }))[1]).toContain(
    `Port ${edge} is in use. Set EDGE_PORT`,
  );
  server.close();
});

test.each([
  ["orchestrator", "orchestrator/src/main.ts"],
  ["local-cluster", "local-cluster/src/main.ts"],
  ["postgres", "local-postgres/src/main.ts"],
])(
  "%s that is killed is started again, the screen says so, and a live test goes on",
  async (name, script) => {
    const client = await standalone.client();
    const { run, device } = await createLive(client);
    process.kill(standalone.findChild(script), "SIGKILL");
    await expect.poll(() => standalone.output(), { timeout: 30_000 }).toContain(`${name} is up again.`);
    expect(standalone.output()).toContain(`${name} has ended (signal SIGKILL); starting it again.`);

    await expect
      .poll(() => askAsDevice(device, new URL(run.testUrl ?? "")).catch(String), { timeout: 20_000 })
      .toBe(200);
    await expect
      .poll(() => client.runs.finalise.mutate({ runId: run.runId }).then(({ status }) => status, String), {
        timeout: 20_000,
      })
      .toMatch(/^finalis/);
    await expect
      .poll(() => client.runs.get.query({ runId: run.runId }).catch(String), { timeout: 40_000 })
      .toMatchObject({
        status: "finalised",
        artifact: { kind: "complete" },
      });
    await expect.poll(() => listObjects().catch(String), { timeout: 20_000 }).toEqual([]);
  },
  150_000,
);

test("what was stored is there after a stop and a start; after Ctrl-C nothing runs", async () => {
  const client = await standalone.client();
  const before = await client.runs.list.query({ limit: 50 });
  const { run } = await createLive(client);
  expect(await standalone.stop("SIGINT")).toBe(0);
  expect(standalone.listProcesses()).toEqual([]);
  await standalone.start();
  const after = await (await standalone.client()).runs.list.query({ limit: 50 });
  expect(after.runs.map(({ runId }) => runId)).toEqual([run.runId, ...before.runs.map(({ runId }) => runId)]);
  // Its teststack was stopped with the cluster: said in words, with what there was.
  await expect
    .poll(async () => (await standalone.client()).runs.get.query({ runId: run.runId }), { timeout: 30_000 })
    .toMatchObject({ status: "failed", failure: { message: expect.stringMatching(/test was lost|Pod/) } });
  await expect.poll(() => listObjects(), { timeout: 30_000 }).toEqual([]);
}, 120_000);

test("killed without warning, whole, it goes on at the next start where it was", async () => {
  const client = await standalone.client();
  const { run, device } = await createLive(client);
  await standalone.stop("SIGKILL");
  await standalone.start();
  await expect.poll(() => askAsDevice(device, new URL(run.testUrl ?? "")).catch(String), { timeout: 20_000 }).toBe(200);
  const again = await standalone.client();
  await again.runs.finalise.mutate({ runId: run.runId });
  await until(again, run.runId, "gone");
  expect(await again.runs.get.query({ runId: run.runId })).toMatchObject({
    status: "finalised",
    artifact: { kind: "complete" },
  });
}, 120_000);

test("logs name no token, password or private key", async () => {
  const { token } = await standalone.info();
  const password = await readFile(join(standalone.home, "database-password"), "utf8");
  const folder = join(standalone.home, "logs");
  for (const file of await readdir(folder)) {
    const log = await readFile(join(folder, file), "utf8");
    for (const secret of [token, password, "PRIVATE KEY"]) expect([file, log.includes(secret)]).toEqual([file, false]);
  }
});
