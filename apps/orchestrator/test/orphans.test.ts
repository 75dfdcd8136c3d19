import { buildLabels } from "@cactus/core/teststack";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askEdge } from "./_edge.ts";
import { startTestInstallation, type TestInstallation } from "./_installation.ts";

let installation: TestInstallation;
beforeAll(async () => {
  installation = await startTestInstallation({ ORPHAN_GRACE_SECONDS: "2" });
});
afterAll(() => installation[Symbol.asyncDispose]());

const byName = (a: string, b: string): number => a.localeCompare(b);

test("what belongs to no teststack is collected, and nothing else", { timeout: 200_000 }, async () => {
  const { cluster, orchestrator, user } = installation;
  const { db } = orchestrator.database;
  const { core } = cluster.client;
  const namespace = "test-execution";
  const { id: installationId } = await db.selectFrom("installation").select("id").executeTakeFirstOrThrow();
  const { run } = await user.createLive("ALL-01");
  const createService = async (name: string, labels: Record<string, string>): Promise<void> => {
    const spec = { ports: [{ port: 80 }], selector: { none: "none" } };
    await core.createNamespacedService({ namespace, body: { metadata: { name, labels }, spec } });
  };
  const teststackId = crypto.randomUUID();
  await createService("orphan", buildLabels({ installationId, teststackId }));
  await createService("of-another-installation", buildLabels({ installationId: "other", teststackId }));
  await createService("of-nobody", { app: "x" });
  const list = async () =>
    (await core.listNamespacedService({ namespace })).items.map(({ metadata }) => metadata?.name ?? "").sort(byName);
  const kept = ["of-another-installation", "of-nobody", new URL(run.testUrl ?? "").pathname.split("/")[1] ?? ""].sort(
    byName,
  );
  expect(await list()).toEqual([...kept, "orphan"].sort(byName));
  const boss = await installation.newUser("boss", ["admin:all"]);
  await expect
    .poll(() => boss.ask<{ orphans: object[] }>("admin.orphans"), { timeout: 20_000, interval: 20 })
    .toMatchObject({
      collection: "delete",
      orphans: [{ kind: "Service", name: "orphan", why: "There never was a teststack of this id." }],
    });
  await expect.poll(list, { timeout: 20_000 }).toEqual(kept);
  expect(await boss.ask("admin.orphans")).toMatchObject({ orphans: [] });
  expect((await user.get(run.runId)).status).toBe("started");
});

test("a Service or an Ingress that somebody deletes comes back, and the test goes on", async () => {
  const { cluster, user, orchestrator } = installation;
  const { run, certificate } = await user.createLive("ALL-01");
  const name = new URL(run.testUrl ?? "").pathname.split("/")[1] ?? "";
  const place = { namespace: "test-execution", name };
  const { core, networking } = cluster.client;
  const ask = async () => (await askEdge(cluster, { path: `/${name}/dcap`, certificate })).status;
  expect(await ask()).toBe(200);
  await networking.deleteNamespacedIngress(place);
  await expect.poll(ask, { timeout: 20_000 }).toBe(200);
  const { metadata } = await core.readNamespacedService(place);
  await core.deleteNamespacedService(place);
  await expect
    .poll(async () => (await core.readNamespacedService(place).catch(() => undefined))?.metadata?.uid, {
      timeout: 20_000,
    })
    .toEqual(expect.not.stringMatching(metadata?.uid ?? ""));
  await expect.poll(ask, { timeout: 20_000 }).toBe(200);
  const listRepairs = async () => (await user.story(run.runId)).filter(({ kind }) => kind === "repaired");
  // The edge may lead to the Pod for a moment without them.
  await expect
    .poll(async () => (await listRepairs()).map(({ message }) => message), { timeout: 20_000 })
    .toEqual(["Ingress had been deleted: made again.", "Service had been deleted: made again."]);
  expect(await (await fetch(`${orchestrator.url}/metrics`)).text()).toMatch(/^cactus_route_repairs_total 2$/m);
  await user.ask("runs.finalise", { runId: run.runId });
  expect(await user.untilGone(run.runId)).toMatchObject({ status: "finalised", artifact: { kind: "complete" } });
});
