import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunView } from "../src/routes/run-view.ts";
import { askEdge } from "./_edge.ts";
import { startTestInstallation, type TestInstallation } from "./_installation.ts";
import { startStubNode } from "./_stub-node.ts";

interface Idle {
  rule: string;
  deadline: string;
  enabled: boolean;
  signals: Record<string, string | number | null>;
  limits: { idleSeconds: number; lifetimeSeconds: number; unreachableSeconds: number };
}

const PROCEDURES = new URL("../../../packages/teststack-simulator/procedures/", import.meta.url);
let installation: TestInstallation;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cactus-procedures-"));
  for (const file of await readdir(PROCEDURES)) {
    // Their clients poll each second, so that a run is idle within seconds.
    const text = (await readFile(new URL(file, PROCEDURES), "utf8")).replaceAll(/(_seconds:) \d+/g, "$1 1");
    await writeFile(join(folder, file), text);
  }
  installation = await startTestInstallation({
    TEST_PROCEDURES_DIRECTORY: folder,
    IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS: "4",
    IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS_BY_PROCEDURE: "GEN-01=7200,ALL-02=5",
    IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS: "3600",
    RUN_EXTENSION_MAX_SECONDS: "600",
    IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: "1",
  });
});
afterAll(async () => {
  await installation[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const idleOf = (runId: string) => installation.user.ask<Idle>("runs.idle", { runId });
const later = (from: string | number | null | undefined, seconds: number) =>
  new Date(new Date(from ?? 0).getTime() + seconds * 1000).toISOString();

/** As if its instance had been made that long ago. */
async function age(runId: string, seconds: number): Promise<void> {
  const { db } = installation.orchestrator.database;
  const admitted_at = new Date(Date.now() - seconds * 1000);
  const teststack = db.selectFrom("run").select("teststack_id").where("id", "=", runId);
  await db.updateTable("teststack").set({ admitted_at }).where("id", "=", teststack).execute();
}

test("a run that nobody uses is warned of, then finalised like any other; why and when is told before", async () => {
  const { user } = installation;
  const { run } = await user.createLive("ALL-02");
  const idle = await idleOf(run.runId);
  expect(idle).toMatchObject({
    rule: "timeout",
    enabled: true,
    limits: { idleSeconds: 5, lifetimeSeconds: 3_600, unreachableSeconds: 600 },
    signals: { createdAt: run.createdAt, unreachableSince: null, extendedUntil: null },
  });
  expect(idle.deadline).toBe(later(idle.signals["initialisedAt"], 5));
  expect(await user.untilGone(run.runId)).toMatchObject({
    status: "finalised",
    finalisedBy: "timeout",
    artifact: { kind: "complete" },
  });
  const story = await user.story(run.runId);
  const warnings = story.filter(({ kind }) => kind === "ending_soon");
  expect(warnings).toEqual([expect.objectContaining({ detail: { rule: "timeout", deadline: idle.deadline } })]);
  expect(warnings[0]?.message).toContain(`the run will be finalised at ${idle.deadline}`);
  const refused = await user.call("runs.idle", { runId: run.runId });
  expect(refused.error).toMatchObject({ reason: "conflict", message: expect.stringContaining("The run is finalised") });
});

test("a client that uses it moves the end", async () => {
  const { user, cluster } = installation;
  const { run, certificate } = await user.createLive("ALL-02");
  const before = await idleOf(run.runId);
  await askEdge(cluster, { path: new URL(run.testUrl ?? "").pathname, certificate });
  const after = await idleOf(run.runId);
  expect(after.deadline > before.deadline).toBe(true);
  expect(after.deadline).toBe(later(after.signals["lastInteractionAt"], 5));
  await user.ask("runs.finalise", { runId: run.runId });
  await user.untilGone(run.runId);
});

test("a run that is extended outlives idle time and lifetime, never beyond the cap", async () => {
  const { user } = installation;
  const { run } = await user.createLive("ALL-01");
  const { runId } = run;
  const before = await idleOf(runId);
  const extended = await user.ask<Idle>("runs.extend", { runId, seconds: 60 });
  expect(extended.deadline > before.deadline).toBe(true);
  expect(extended.signals["extendedUntil"]).toBe(extended.deadline);
  // Less than what there is takes nothing away.
  expect((await user.ask<Idle>("runs.extend", { runId, seconds: 1 })).deadline).toBe(extended.deadline);
  const most = await user.ask<Idle>("runs.extend", { runId, seconds: 31_536_000 });
  expect(most.signals["extendedUntil"]).toBe(later(run.createdAt, 4_200));
  // Its idle time and its lifetime pass; other runs come and go in two sweeps meanwhile.
  await age(runId, 3_700);
  const other = await user.createLive("ALL-02");
  expect(await user.untilGone(other.run.runId)).toMatchObject({ finalisedBy: "timeout" });
  expect((await user.get(runId)).status).toBe("started");
  await age(runId, 4_300);
  const { db } = installation.orchestrator.database;
  await db.updateTable("run").set({ extended_until: new Date() }).where("id", "=", runId).execute();
  expect(await user.untilGone(runId)).toMatchObject({ status: "finalised", artifact: { kind: "complete" } });
  const kinds = (await user.story(runId)).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === "extended")).toHaveLength(2);
});

test("a run at the end of its lifetime is finalised, used or not; a procedure may have an idle time of its own", async () => {
  const { user } = installation;
  const { run } = await user.createLive("GEN-01");
  expect((await idleOf(run.runId)).limits.idleSeconds).toBe(7_200);
  await age(run.runId, 3_601);
  expect(await user.untilGone(run.runId)).toMatchObject({ status: "finalised", finalisedBy: "lifetime" });
});

test("nobody extends another's run, nor one that has ended, nor by nonsense", async () => {
  const { user, newUser } = installation;
  const { run } = await user.createLive("GEN-01");
  const { runId } = run;
  const stranger = await newUser("stranger");
  for (const path of ["runs.idle", "runs.extend"]) {
    const { error } = await stranger.call(path, { runId, seconds: 60 });
    expect(error).toMatchObject({ reason: "not_found", message: `There is no run ${runId}.` });
  }
  for (const seconds of [0, -1, 1.5, "60", 31_536_001, null]) {
    const { error } = await user.call("runs.extend", { runId, seconds });
    expect(error).toMatchObject({ reason: "invalid_input", message: expect.stringContaining("seconds") });
  }
  await user.ask("runs.finalise", { runId });
  await user.untilGone(runId);
  const { error } = await user.call("runs.extend", { runId, seconds: 60 });
  expect(error).toMatchObject({ reason: "conflict" });
});

test("runners that do not answer hold up no sweep, and are not taken for idle themselves", async () => {
  const { user, cluster } = installation;
  await using node = await startStubNode(cluster.client);
  const { certificateId } = await user.issue();
  const create = (procedureId: string) => user.ask<RunView>("runs.create", { procedureId, certificateId });
  const silent = await Promise.all(Array.from({ length: 30 }, () => create("GEN-01")));
  await Promise.all(silent.map(({ runId }) => user.until(runId, ({ status }) => status === "initialised")));
  for (const simulator of node.simulators.values()) simulator.setFaults({ silent: true });
  // A sweep that asked one after the other would take a minute from here.
  await sleep(2_000);
  const begun = Date.now();
  const { runId } = await create("ALL-02");
  await expect.poll(async () => (await user.get(runId)).finalisedBy, { timeout: 50_000 }).toBe("timeout");
  expect(Date.now() - begun).toBeLessThan(40_000);
  const rules = await Promise.all(silent.map(async (run) => (await idleOf(run.runId)).rule));
  expect(new Set(rules)).toEqual(new Set(["unreachable"]));
  for (const simulator of node.simulators.values()) simulator.setFaults({ silent: false });
  await Promise.all(silent.map((run) => user.ask("runs.finalise", { runId: run.runId })));
  await Promise.all([...silent, { runId }].map((run) => user.untilGone(run.runId)));
  expect(await installation.listObjects()).toEqual([]);
}, 120_000);
