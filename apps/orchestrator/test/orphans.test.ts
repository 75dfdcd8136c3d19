import { buildLabels } from "@cactus/core/teststack";
import { afterAll, beforeAll, expect, test } from "vitest";
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
  // Two passes, each due at once.
  await expect
    .poll(
      async () => {
        await db
          .updateTable("task")
          .set({ next_due_at: new Date(0) })
          .where("name", "=", "collect-orphans")
          .execute();
        return list();
      },
      { timeout: 60_000, interval: 500 },
    )
    .toEqual(kept);
  expect((await user.get(run.runId)).status).toBe("started");
});
