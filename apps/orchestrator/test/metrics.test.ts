import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestInstallation, type TestInstallation } from "./_installation.ts";

let installation: TestInstallation;
beforeAll(async () => {
  installation = await startTestInstallation({ IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: "1" });
});
afterAll(() => installation[Symbol.asyncDispose]());

async function readMetrics(): Promise<Map<string, number>> {
  const text = await (await fetch(`${installation.orchestrator.url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

test("what an operator watches is told, and no label grows with the runs", async () => {
  const { user } = installation;
  const live = await Promise.all([1, 2, 3].map(() => user.createLive("ALL-01")));
  await expect
    .poll(async () => (await readMetrics()).get("cactus_sweep_seconds_count"), { timeout: 20_000 })
    .toBeGreaterThan(0);
  const metrics = await readMetrics();
  expect(metrics.get('cactus_teststacks{phase="live"}')).toBe(3);
  expect(metrics.get("cactus_orphans")).toBe(0);
  expect(metrics.get("cactus_reconcile_queue")).toBe(0);
  expect(metrics.get("cactus_reconcile_lag_seconds_count")).toBeGreaterThan(0);
  expect(metrics.get("cactus_watch_age_seconds")).toBeLessThan(60);
  expect(metrics.get('cactus_teststack_phase_seconds_count{phase="requested"}')).toBe(3);
  expect(metrics.get('cactus_kubernetes_requests_total{method="POST"}')).toBeGreaterThanOrEqual(9);
  await Promise.all(live.map(({ run }) => user.ask("runs.finalise", { runId: run.runId })));
  await Promise.all(live.map(({ run }) => user.untilGone(run.runId)));
  const afterwards = await readMetrics();
  expect(afterwards.get('cactus_teststacks{phase="live"}')).toBeUndefined();
  expect(afterwards.get('cactus_runs_ended_total{outcome="finalised"}')).toBe(3);
  const names = [...afterwards.keys()].join("\n");
  for (const { run } of live) expect(names).not.toContain(run.runId);
});

test.each(["grafana-dashboard.json", "alerts.yaml"])("every metric that %s names is there", async (file) => {
  const text = await readFile(new URL(`../../../infra/monitoring/${file}`, import.meta.url), "utf8");
  const named = new Set(text.match(/\b(cactus|process)_[a-z_]+/g));
  const exposition = await (await fetch(`${installation.orchestrator.url}/metrics`)).text();
  const declared = new Set([...exposition.matchAll(/^# TYPE (\S+) (\S+)/gm)].map(([, name]) => name));
  const missing = [...named].filter((name) => !declared.has(name.replace(/_bucket$/, "")));
  expect(missing).toEqual([]);
  expect(named.size).toBeGreaterThan(5);
});
