import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { control, listObjects } from "./_installation.ts";
import { type KillableInstallation, startKillableInstallation } from "./_orchestrator-process.ts";

let installation: KillableInstallation;
beforeAll(async () => {
  installation = await startKillableInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

test.each(["requested", "created", "ready", "routed", "initialised"])(
  'killed in a spawn, after "%s": the run gets its test all the same, once',
  async (kind) => {
    const { user, cluster } = installation;
    const { runId } = await user.create("ALL-02");
    while (!(await user.story(runId)).some((event) => event.kind === kind)) await sleep(2);
    await installation.restart();
    await user.until(runId, ({ status }) => status === "initialised");
    const kinds = (await user.story(runId)).map((event) => event.kind);
    for (const once of ["requested", "created", "ready", "routed", "initialised"]) {
      expect(kinds.filter((other) => other === once)).toEqual([once]);
    }
    await user.ask("runs.finalise", { runId });
    expect(await user.untilGone(runId)).toMatchObject({
      status: "finalised",
      artifact: { kind: "complete" },
      failure: null,
    });
    expect(await listObjects(cluster)).toEqual([]);
  },
);

test("killed before the runner was asked to finalise: the result is whole", async () => {
  const { user, cluster } = installation;
  const { run } = await user.createLive("ALL-01");
  const { runId } = run;
  await installation.kill();
  await installation.start();
  expect((await user.get(runId)).status).toBe("started");
  await user.ask("runs.finalise", { runId });
  await installation.restart();
  expect((await user.untilGone(runId)).status).toBe("finalised");
  expect(await listObjects(cluster)).toEqual([]);
});

test("killed while the runner's answer comes in: what it still tells is kept, and it says so", async () => {
  const { user, cluster } = installation;
  const { run } = await user.createLive("ALL-01");
  const { runId } = run;
  await control(cluster, run, { finalizeSeconds: 5 });
  await user.ask("runs.finalise", { runId });
  // The last status is kept, and with it the mark of the call, just before the call.
  await expect.poll(async () => (await user.call("runs.status", { runId })).status, { interval: 5 }).toBe(200);
  await installation.restart();
  expect(await user.untilGone(runId)).toMatchObject({
    status: "finalised",
    allCriteriaMet: false,
    artifact: { kind: "partial" },
    failure: { reason: "result_incomplete", message: expect.stringContaining("answers finalize only once") },
  });
  expect(await listObjects(cluster)).toEqual([]);
});

test("killed in the middle of removing a teststack: nothing is left", async () => {
  const { user, cluster } = installation;
  const { run } = await user.createLive("ALL-01");
  await user.ask("runs.finalise", { runId: run.runId });
  while (!(await user.story(run.runId)).some(({ kind }) => kind === "finalised")) await sleep(2);
  await installation.restart();
  await user.untilGone(run.runId);
  expect(await listObjects(cluster)).toEqual([]);
});

test("what died while nobody watched is noticed at the next start", async () => {
  const { user, cluster } = installation;
  const { run } = await user.createLive("ALL-01");
  await installation.kill();
  const name = new URL(run.testUrl ?? "").pathname.split("/")[1] ?? "";
  await cluster.client.apps.deleteNamespacedStatefulSet({
    namespace: "test-execution",
    name,
    propagationPolicy: "Foreground",
  });
  await expect.poll(() => listObjects(cluster), { timeout: 20_000 }).toEqual([]);
  await installation.start();
  expect(await user.untilGone(run.runId)).toMatchObject({ status: "failed", failure: { reason: "pod_deleted" } });
});

test("an archive of 300 MB passes through without staying in memory", async () => {
  const { user, cluster } = installation;
  const { run } = await user.createLive("ALL-01");
  const { runId } = run;
  await control(cluster, run, { archiveMib: 300 });
  const before = await installation.residentBytes();
  let highest = before;
  const watching = setInterval(async () => {
    highest = Math.max(highest, await installation.residentBytes().catch(() => 0));
  }, 100);
  await user.ask("runs.finalise", { runId });
  const ended = await user.untilGone(runId);
  expect(ended.artifact?.size).toBeGreaterThan(300 * 1024 * 1024);
  const url = await user.ask<{ path: string }>("runs.artifactLink", { runId });
  const response = await fetch(new URL(url.path, installation.url));
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of response.body ?? []) {
    hash.update(chunk);
    size += chunk.length;
  }
  clearInterval(watching);
  expect([size, hash.digest("hex")]).toEqual([ended.artifact?.size, ended.artifact?.sha256]);
  // What is passed on becomes garbage that is collected now and then: less than the archive, however long it is.
  expect((highest - before) / 1024 / 1024).toBeLessThan(280);
}, 300_000);
