import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createHierarchy, issueClientCertificate, loadAuthority } from "@cactus/core/pki";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunView } from "../src/routes/run-view.ts";
import {
  type Figure,
  measure,
  measureEach,
  percentile,
  readMemorySettings,
  readMetrics,
  reportFigures,
} from "./_figures.ts";
import { control, listObjects } from "./_installation.ts";
import { type KillableInstallation, startKillableInstallation } from "./_orchestrator-process.ts";

const figures: Figure[] = [];
let installation: KillableInstallation;
beforeAll(async () => {
  installation = await startKillableInstallation(await readMemorySettings());
});
afterAll(async () => {
  await installation[Symbol.asyncDispose]();
  await reportFigures(figures);
});

const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const seconds = (value: number): string => `${(value / 1000).toFixed(1)} s`;

async function countRequests(): Promise<Record<string, number>> {
  const text = await (await fetch(`${installation.url}/metrics`)).text();
  const lines = text.matchAll(/^cactus_kubernetes_requests_total\{method="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, method, count]) => [method, Number(count)]));
}

async function untilStarted(runId: string): Promise<void> {
  const { db } = installation.database;
  const started = () => db.selectFrom("run").select("started_at").where("id", "=", runId).executeTakeFirst();
  while ((await started())?.started_at == null) await sleep(10);
}

async function countQueries(): Promise<number> {
  return (await readMetrics(installation.url, "cactus_database_queries_total"))[0] ?? Number.NaN;
}

/** CPU that the orchestrator has used, seconds. */
async function readCpu(): Promise<number> {
  return (await readMetrics(installation.url, "process_cpu_seconds_total"))[0] ?? Number.NaN;
}

async function finaliseAll(runIds: string[]): Promise<void> {
  const { user } = installation;
  await Promise.all(runIds.map((runId) => user.ask("runs.finalise", { runId })));
  await Promise.all(runIds.map((runId) => user.untilGone(runId)));
}

/** Seconds between two of a run's events. */
async function between(runId: string, first: string, last: string): Promise<number> {
  const { db } = installation.database;
  const events = await db.selectFrom("event").select(["kind", "at"]).where("run_id", "=", runId).execute();
  const at = (kind: string): number => events.find((event) => event.kind === kind)?.at.getTime() ?? Number.NaN;
  return at(last) - at(first);
}

test("a spawn alone", async () => {
  const { user } = installation;
  const warm = await user.createLive("ALL-01");
  await finaliseAll([warm.run.runId]);
  const atRest = await countQueries();
  await sleep(5_000);
  const queries = await countQueries();
  const queriesPerMs = (queries - atRest) / 5_000;
  const before = await countRequests();
  const begun = performance.now();
  const whole: number[] = [];
  const after: number[] = [];
  for (let index = 0; index < 10; index += 1) {
    const { runId } = await user.create("ALL-01");
    // Looks by itself, so that our asking is not counted.
    await untilStarted(runId);
    whole.push(await between(runId, "requested", "started"));
    after.push(await between(runId, "ready", "started"));
    await finaliseAll([runId]);
  }
  const ownQueries = (await countQueries()) - queries - queriesPerMs * (performance.now() - begun);
  const requests = await countRequests();
  const perRun = (method: string): number => ((requests[method] ?? 0) - (before[method] ?? 0)) / 10;
  const sorted = (values: number[]): number[] => values.sort((a, b) => a - b);
  figures.push(
    { what: "spawn alone: requested to started, p50", value: ms(percentile(sorted(whole), 0.5)) },
    {
      what: "spawn alone: Pod Ready to started, p50",
      value: ms(percentile(sorted(after), 0.5)),
      target: "≤ 250 ms beyond the edge's own reload",
    },
    { what: "Kubernetes: creations per run", value: String(perRun("POST")), target: "≤ 5" },
    { what: "Kubernetes: deletions per run", value: String(perRun("DELETE")), target: "≤ 1" },
    { what: "Kubernetes: reads per run", value: String(perRun("GET")) },
    { what: "PostgreSQL: statements per run, from request to gone", value: (ownQueries / 10).toFixed(0) },
  );
}, 120_000);

test.each([20, 50])(
  "%i at once",
  async (count) => {
    const { user, cluster } = installation;
    const runs: string[] = [];
    const creations: number[] = [];
    const certificate = await user.issue();
    const spawn = await measure(async () => {
      const created = await Promise.all(
        Array.from({ length: count }, async () => {
          const started = performance.now();
          const run = await user.ask<RunView>("runs.create", {
            procedureId: "ALL-01",
            certificateId: certificate.certificateId,
          });
          creations.push(performance.now() - started);
          return run;
        }),
      );
      runs.push(...created.map(({ runId }) => runId));
      await Promise.all(runs.map((runId) => user.until(runId, ({ status }) => status === "started")));
    });
    const teardown = await measure(() => finaliseAll(runs));
    creations.sort((a, b) => a - b);
    figures.push(
      {
        what: `${count} at once: answer of runs.create, p99`,
        value: ms(percentile(creations, 0.99)),
        target: count === 50 ? "p99 ≤ 50 ms (one after another)" : "",
      },
      { what: `${count} at once: all started`, value: seconds(spawn), target: "all" },
      { what: `${count} at once: all finalised and gone`, value: seconds(teardown), target: "0 left" },
    );
    expect(await listObjects(cluster)).toEqual([]);
  },
  300_000,
);

test("runs.create one after another, while Pods never start", async () => {
  const { user } = installation;
  const certificate = await user.issue();
  const runs: string[] = [];
  const { apps } = installation.cluster.client;
  const place = { namespace: "teststack-templates", name: "envoy-set" };
  const image = { op: "replace", path: "/spec/template/spec/containers/0/image", value: "no/such:1" };
  await apps.patchNamespacedStatefulSet({ ...place, body: [image] });
  const times = await measureEach(200, 1, async () => {
    const { runId } = await user.ask<RunView>("runs.create", {
      procedureId: "ALL-01",
      certificateId: certificate.certificateId,
    });
    runs.push(runId);
  });
  await apps.patchNamespacedStatefulSet({ ...place, body: [{ ...image, value: "cactus/teststack-simulator" }] });
  figures.push(
    { what: "runs.create, p50", value: ms(percentile(times, 0.5)) },
    { what: "runs.create, p99", value: ms(percentile(times, 0.99)), target: "≤ 50 ms" },
  );
  const teardown = await measure(() => finaliseAll(runs));
  figures.push({ what: "200 that never started: all gone", value: seconds(teardown) });
}, 300_000);

test("reads with 10,000 runs stored", async () => {
  const { user, database } = installation;
  const { db } = database;
  const { run } = await user.createLive("ALL-01");
  await finaliseAll([run.runId]);
  const row = await db.selectFrom("run").selectAll().where("id", "=", run.runId).executeTakeFirstOrThrow();
  const { id: _, number: __, ...copied } = row;
  for (let batch = 0; batch < 20; batch += 1) {
    const rows = Array.from({ length: 500 }, () => ({ ...copied, last_status: null, idempotency_key: null }));
    await db.insertInto("run").values(rows).execute();
  }
  await measureEach(1_000, 8, () => user.ask("runs.list", { limit: 50 }));
  const cpuBefore = await readCpu();
  const list = await measure(() => measureEach(300, 8, () => user.ask("runs.list", { limit: 50 })));
  const listCpu = (await readCpu()) - cpuBefore;
  const get = await measure(() => measureEach(1_000, 8, () => user.ask("runs.get", { runId: run.runId })));
  figures.push(
    { what: "runs.list of 50 among 10,000", value: `${(300_000 / list).toFixed(0)} /s`, target: "> 130 /s (Python)" },
    { what: "runs.list of 50 among 10,000, CPU", value: ms((listCpu * 1000) / 300), target: "≤ 0.6 ms" },
    { what: "runs.get among 10,000", value: `${(1_000_000 / get).toFixed(0)} /s` },
  );
}, 120_000);

test("certificates", async () => {
  const now = new Date();
  const { micaPem, mcaPem, sercaPem, micaPrivateKeyPem } = await createHierarchy({ organisation: "bench", now });
  const authority = loadAuthority({
    certificatePem: micaPem + mcaPem + sercaPem,
    privateKeyPem: micaPrivateKeyPem,
    now,
  });
  const issue = (index: number) =>
    issueClientCertificate(authority, { kind: "device", pen: 0, hardwareSerial: `s-${index}`, now });
  await measureEach(20, 1, issue);
  const cpu = process.cpuUsage();
  const times = await measureEach(200, 1, issue);
  const used = process.cpuUsage(cpu);
  const { user } = installation;
  const whole = await measure(() => measureEach(100, 4, () => user.issue()));
  figures.push(
    {
      what: "certificate with a key, CPU",
      value: ms((used.user + used.system) / 1000 / times.length),
      target: "≤ 5 ms without PKCS#12",
    },
    {
      what: "certificates.issue with key and PKCS#12",
      value: `${(100_000 / whole).toFixed(0)} /s`,
      target: "> 11 /s (Python)",
    },
  );
}, 120_000);

test("an artifact of 1 GiB", async () => {
  const { user, cluster } = installation;
  const { run } = await user.createLive("ALL-01");
  await control(cluster, run, { archiveMib: 1024 });
  const before = await installation.residentBytes();
  let highest = before;
  const watching = setInterval(async () => {
    highest = Math.max(highest, await installation.residentBytes().catch(() => 0));
  }, 100);
  const collect = await measure(() => finaliseAll([run.runId]));
  const ended = await user.get(run.runId);
  const { path } = await user.ask<{ path: string }>("runs.artifactLink", { runId: run.runId });
  const hash = createHash("sha256");
  for await (const chunk of (await fetch(new URL(path, installation.url))).body ?? []) hash.update(chunk);
  clearInterval(watching);
  expect(hash.digest("hex")).toBe(ended.artifact?.sha256);
  figures.push(
    { what: "1 GiB artifact: finalise to gone", value: seconds(collect) },
    { what: "1 GiB artifact: extra memory", value: `${((highest - before) / 2 ** 20).toFixed(0)} MiB`, target: "flat" },
  );
}, 300_000);
