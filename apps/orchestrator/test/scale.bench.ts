import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunView } from "../src/routes/run-view.ts";
import { askEdge } from "./_edge.ts";
import {
  type Figure,
  measure,
  measureEach,
  percentile,
  readMemorySettings,
  readMetrics,
  reportFigures,
} from "./_figures.ts";
import { listObjects } from "./_installation.ts";
import { type KillableInstallation, startKillableInstallation } from "./_orchestrator-process.ts";
import { type StubNode, startStubNode } from "./_stub-node.ts";

/** What shows only with many: their Pods are stubs, so that the machine's memory does not set the limit. */
const figures: Figure[] = [];
let installation: KillableInstallation;
let node: StubNode;
beforeAll(async () => {
  installation = await startKillableInstallation({
    ...(await readMemorySettings()),
    INSTANCES_MAX: "5000",
    INSTANCES_MAX_PER_USER: "5000",
    IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: "15",
    RUNNER_UNREACHABLE_TIMEOUT_SECONDS: "3600",
  });
  node = await startStubNode(installation.cluster.client);
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
  await installation[Symbol.asyncDispose]();
  await reportFigures(figures);
});

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;

async function createMany(count: number): Promise<{ runIds: string[]; answers: number[] }> {
  const { user } = installation;
  const { certificateId } = await user.issue();
  const runIds: string[] = [];
  const answers = await measureEach(count, count, async () => {
    const { runId } = await user.ask<RunView>("runs.create", { procedureId: "ALL-01", certificateId });
    runIds.push(runId);
  });
  return { runIds, answers };
}

/** Waits until that many runs are as wanted, by one query for all. */
async function untilAll(runIds: string[], column: "started_at" | "ended_at"): Promise<void> {
  const { db } = installation.database;
  for (const end = Date.now() + 280_000; Date.now() < end; await sleep(100)) {
    const rows = await db.selectFrom("run").select(["status", column]).where("id", "in", runIds).execute();
    const failed = rows.filter(({ status }) => status === "failed").length;
    if (failed > 0) throw new Error(`${failed} of ${rows.length} failed`);
    if (rows.every((row) => row[column] !== null)) return;
  }
  throw new Error("not all got there");
}

async function finaliseAll(runIds: string[]): Promise<void> {
  await Promise.all(runIds.map((runId) => installation.user.ask("runs.finalise", { runId })));
  await untilAll(runIds, "ended_at");
}

test.each([100, 300])(
  "%i at once",
  async (count) => {
    let runs: string[] = [];
    let answers: number[] = [];
    const spawn = await measure(async () => {
      ({ runIds: runs, answers } = await createMany(count));
      await untilAll(runs, "started_at");
    });
    const teardown = await measure(() => finaliseAll(runs));
    expect(await listObjects(installation.cluster)).toEqual([]);
    figures.push(
      { what: `${count} at once: answer of runs.create, p99`, value: `${percentile(answers, 0.99).toFixed(0)} ms` },
      { what: `${count} at once: all started`, value: seconds(spawn), target: "all" },
      { what: `${count} at once: all finalised and gone`, value: seconds(teardown), target: "0 left" },
    );
  },
  600_000,
);

test("1,000 live", async () => {
  const { user, cluster } = installation;
  const runs: string[] = [];
  const spawn = await measure(async () => {
    for (let batch = 0; batch < 2; batch += 1) {
      const { runIds } = await createMany(500);
      runs.push(...runIds);
      await untilAll(runIds, "started_at");
    }
  });
  figures.push({ what: "1,000 made, 500 at once: all started", value: seconds(spawn) });

  // Routes: each leads to its own instance.
  const certificate = await user.issue();
  const statusOf = async (name: string): Promise<number> =>
    (await askEdge(cluster, { path: `/${name}/dcap`, certificate })).status;
  const names = [...node.simulators.keys()];
  const found: number[] = [];
  await measureEach(names.length, 16, async (index) => found.push(await statusOf(names[index] ?? "")));
  // The instance is reached, and says that this is not its test's client.
  const lost = found.filter((status) => status !== 403).length;
  figures.push({ what: "1,000 routes made, 500 at once: lost", value: String(lost), target: "0" });

  // At rest, a sweep now and then.
  const [cpuBefore = 0] = await readMetrics(installation.url, "process_cpu_seconds_total");
  const restMs = await measure(() => sleep(45_000));
  const [cpuAfter = 0, resident = 0] = await readMetrics(
    installation.url,
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
  );
  figures.push(
    {
      what: "1,000 live, with the Deployment's limits: memory",
      value: `${(resident / 2 ** 20).toFixed(0)} MiB`,
      target: "≤ 300 MiB",
    },
    {
      what: "1,000 live, a sweep each 15 s: CPU",
      value: `${(((cpuAfter - cpuBefore) * 100_000) / restMs).toFixed(1)} % of a core`,
      target: "≤ 10 %",
    },
  );

  await followers(runs);

  // One in ten does not answer any more.
  const silent = [...node.simulators.values()].slice(0, 100);
  for (const simulator of silent) simulator.setFaults({ silent: true });
  await sleep(16_000);
  const [sumBefore = 0, countBefore = 0] = await readMetrics(
    installation.url,
    "cactus_sweep_seconds_sum",
    "cactus_sweep_seconds_count",
  );
  await expect
    .poll(async () => (await readMetrics(installation.url, "cactus_sweep_seconds_count"))[0], {
      timeout: 120_000,
      interval: 500,
    })
    .toBeGreaterThan(countBefore);
  const [sumAfter = 0, countAfter = 1] = await readMetrics(
    installation.url,
    "cactus_sweep_seconds_sum",
    "cactus_sweep_seconds_count",
  );
  figures.push({
    what: "sweep of 1,000, of which 100 are black-holed",
    value: `${((sumAfter - sumBefore) / (countAfter - countBefore)).toFixed(1)} s`,
    target: "≤ 5 s",
  });
  for (const simulator of silent) simulator.setFaults({ silent: false });

  const teardown = await measure(() => finaliseAll(runs));
  const stale = (await Promise.all(names.slice(0, 500).map(statusOf))).filter((status) => status !== 404).length;
  figures.push(
    { what: "1,000 finalised at once: all gone", value: seconds(teardown), target: "0 left" },
    { what: "routes that still answer then", value: String(stale), target: "0" },
  );
  expect([lost, stale, await listObjects(cluster)]).toEqual([0, 0, []]);
}, 900_000);

/** 500 streams, all of one run: how long until the last of them has an event. */
async function followers([runId]: string[]): Promise<void> {
  const { user, url, admins } = { ...installation, admins: ["a", "b", "c"] };
  const leave = new AbortController();
  const arrivals: number[] = [];
  const opened: Promise<void>[] = [];
  for (let index = 0; index < 500; index += 1) {
    const token = await installation.sign({ sub: `admin-${admins[index % 3]}`, permissions: ["admin:all"] });
    const input = encodeURIComponent(JSON.stringify({ runId }));
    const response = await fetch(`${url}/trpc/runs.follow?input=${input}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: leave.signal,
    });
    opened.push(readUntil(response, "extended").then(() => void arrivals.push(performance.now())));
  }
  const begun = performance.now();
  await user.ask("runs.extend", { runId, seconds: 86_400 });
  await Promise.all(opened);
  leave.abort();
  arrivals.sort((a, b) => a - b);
  figures.push(
    { what: "an event to 500 followers: the middle one", value: `${((arrivals[250] ?? 0) - begun).toFixed(0)} ms` },
    { what: "an event to 500 followers: the last one", value: `${((arrivals.at(-1) ?? 0) - begun).toFixed(0)} ms` },
  );
}

async function readUntil(response: Response, kind: string): Promise<void> {
  let text = "";
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    if (text.includes(`"kind":"${kind}"`)) return;
  }
  throw new Error(`the stream ended without ${kind}`);
}
