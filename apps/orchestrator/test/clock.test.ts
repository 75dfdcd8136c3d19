import type { Database, Kysely } from "@cactus/db";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { startTestCluster, type TestCluster } from "./_cluster.ts";
import { expectResult, gone, settled } from "./_settled.ts";
import { openSite } from "./_site.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterEach(() => void vi.useRealTimers());
afterAll(() => cluster[Symbol.asyncDispose]());

/** Sets the clock of this machine; the database's and the runners' go right. */
function setClock(hoursAhead: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hoursAhead * 3_600_000 });
}

/** When the latest sweep was begun, by the database's clock. */
async function sweptAt(db: Kysely<Database>): Promise<string> {
  const task = db.selectFrom("task").select("last_run_at").where("name", "=", "idle-teardown");
  return String((await task.executeTakeFirstOrThrow()).last_run_at?.toISOString());
}

test.each([3, -3])("a clock that jumps by %i hours ends no run and holds up none", async (hours) => {
  await using site = await openSite(cluster);
  const { user, database, kubernetes } = site;
  const kindsOf = async (runId: string) => (await user.story(runId)).map(({ kind }) => kind);
  const { run: live } = await user.createLive("ALL-01");
  kubernetes.fail("POST services", { answer: 500 }, 1_000);
  const { runId: beginning } = await user.create("ALL-01");
  await vi.waitFor(async () => expect(await kindsOf(beginning)).toContain("waiting"), 30_000);

  setClock(hours);
  // A sweep each second goes on, whatever time it is.
  const sweeps = new Set<string>();
  await vi.waitFor(async () => expect(sweeps.add(await sweptAt(database.db)).size).toBeGreaterThan(3), 30_000);
  const rows = await database.db.selectFrom("run").select(["id", "status", "finalise_requested_at"]).execute();
  expect(rows).toHaveLength(2);
  expect(rows).toContainEqual({ id: live.runId, status: "started", finalise_requested_at: null });
  expect(rows).toContainEqual({ id: beginning, status: "provisioning", finalise_requested_at: null });
  kubernetes.relent();
  await vi.waitFor(async () => expect(await kindsOf(beginning)).toContain("started"), 30_000);

  vi.useRealTimers();
  const link = await vi.waitFor(async () => {
    await user.ask("runs.finalise", { runId: live.runId });
    await user.ask("runs.finalise", { runId: beginning });
    await gone(site, live.runId);
    return user.ask<{ path: string; expiresAt: string }>("runs.artifactLink", { runId: live.runId });
  }, 30_000);
  const lifeSeconds = (Date.parse(link.expiresAt) - Date.now()) / 1000;
  expect(lifeSeconds).toBeGreaterThan(240);
  expect(lifeSeconds).toBeLessThan(330);
  expectResult(await settled(site, live.runId, ({ artifact }) => artifact !== null), "whole");
  expectResult(await gone(site, beginning), "whole");
  expect(await site.listObjects()).toEqual([]);
});
