import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1StatefulSet } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startTestCluster, type TestCluster } from "./_cluster.ts";
import { type Fault, UPSTREAM_TEXT } from "./_kubernetes-faults.ts";
import { expectResult, gone, insist, settled } from "./_settled.ts";
import { openSite, type Site } from "./_site.ts";
import { withTemplate } from "./_template.ts";

const SOON = { timeout: 30_000, interval: 50 };

vi.setConfig({ testTimeout: 180_000 });

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** What was told of a run, and what it was told in: never in the words of the API server. */
async function tellsOf({ user }: Site, runId: string): Promise<string> {
  const story = JSON.stringify(await user.story(runId));
  expect(story).not.toContain(UPSTREAM_TEXT);
  return story;
}

async function watchAge({ url }: Site): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^cactus_watch_age_seconds (\S+)/m.exec(metrics)?.[1]);
}

const FAULTS: [call: string, what: string, fault: Fault, times: number][] = [
  ["POST statefulsets", "429, to come again after a second", { answer: 429, retryAfterSeconds: 1 }, 2],
  ["POST statefulsets", "500", { answer: 500 }, 2],
  ["POST statefulsets", "504 after it did it", { answer: 504, afterwards: true }, 1],
  ["POST services", "409 for what is not there", { answer: 409 }, 1],
  ["POST services", "504 after it did it", { answer: 504, afterwards: true }, 2],
  ["POST ingresses", "504 after it did it", { answer: 504, afterwards: true }, 1],
  ["runner POST /initialise", "504 after it did it", { answer: 504, afterwards: true }, 1],
  ["runner GET /status", "503", { answer: 503 }, 3],
  ["DELETE statefulsets", "429, to come again after a second", { answer: 429, retryAfterSeconds: 1 }, 1],
  ["DELETE statefulsets", "409 for what is there", { answer: 409 }, 1],
  ["DELETE statefulsets", "504 after it did it", { answer: 504, afterwards: true }, 1],
  ["GET statefulsets", "500", { answer: 500 }, 2],
];

describe.concurrent("an API server that", () => {
  test.each<[string, Fault]>([
    ["begins a watch and is silent", { silent: true }],
    ["answers 410 to a watch", { answer: 410 }],
    ["ends a watch with 410", { event: 410 }],
    ["answers 500 to a watch", { answer: 500 }],
  ])("%s: news of a Pod come all the same", async (_, fault) => {
    await using site = await openSite(cluster);
    const { user, kubernetes } = site;
    const { run } = await user.createLive("ALL-01");
    const isSilent = "silent" in fault;
    kubernetes.fail(/^watch (pods|statefulsets|services|ingresses)$/, fault, isSilent ? 6 : 8);
    site.cutKubernetes();
    await vi.waitFor(() => expect(kubernetes.left).toBe(0), { timeout: 60_000, interval: 50 });
    const { runId } = await user.create("ALL-01");
    if (isSilent) await vi.waitFor(async () => expect(await watchAge(site)).toBeGreaterThan(8), SOON);
    await settled(site, runId, ({ status }) => status === "started");
    await vi.waitFor(async () => expect(await watchAge(site)).toBeLessThan(5), { timeout: 60_000, interval: 50 });
    for (const each of [run.runId, runId]) {
      await insist(site, "runs.finalise", { runId: each });
      expectResult(await gone(site, each), "whole");
    }
  });

  test.each(FAULTS)("at %s answers %s: the run gets there all the same, once", async (call, _, fault, times) => {
    await using site = await openSite(cluster);
    const { user, kubernetes } = site;
    kubernetes.fail(call, fault, times);
    const { runId } = await user.create("ALL-01");
    await settled(site, runId, ({ status }) => status === "started");
    await insist(site, "runs.finalise", { runId });
    expectResult(await gone(site, runId), "whole");
    expect(kubernetes.left).toBe(0);
    await tellsOf(site, runId);
    expect(await site.listObjects()).toEqual([]);
  });

  test("loses the answer to start, and to what is asked then: the test is started, and nobody is told of a conflict", async () => {
    await using site = await openSite(cluster);
    const { user, kubernetes } = site;
    const { run } = await user.createLive("ALL-02");
    kubernetes.fail("runner POST /start", { answer: 504, afterwards: true });
    kubernetes.fail("runner GET /status", { answer: 503 }, 2);
    expect(await user.ask("runs.start", { runId: run.runId })).toMatchObject({ status: "started" });
    await insist(site, "runs.finalise", { runId: run.runId });
    expectResult(await gone(site, run.runId), "whole");
  });

  test("asks to be left alone for a while is left alone, and the user is told", async () => {
    await using site = await openSite(cluster);
    const { user, kubernetes } = site;
    // When it first sees the cluster, within its first seconds, it looks at all teststacks, whatever they wait for.
    await sleep(2_500);
    kubernetes.fail("POST statefulsets", { answer: 429, retryAfterSeconds: 4 });
    const began = performance.now();
    const { runId } = await user.create("ALL-01");
    await vi.waitFor(async () => {
      expect(await tellsOf(site, runId)).toMatch(/Could not create StatefulSet ts-\w+: the cluster answered 429\./);
    }, SOON);
    await settled(site, runId, ({ status }) => status === "started");
    expect(performance.now() - began).toBeGreaterThan(4_000);
    await insist(site, "runs.finalise", { runId });
    await gone(site, runId);
  });

  test.each<[string, (token: string, file: string) => Promise<object>]>([
    ["that the kubeconfig holds", async (token) => ({ token })],
    [
      "that a plugin tells",
      async (token, file) => {
        const credential = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token } };
        await writeFile(file, JSON.stringify(credential));
        return { exec: { apiVersion: credential.apiVersion, command: "cat", args: [file] } };
      },
    ],
    [
      "that a file holds",
      async (token, file) => {
        await writeFile(file, token);
        return { "auth-provider": { name: "tokenFile", config: { tokenFile: file } } };
      },
    ],
  ])("refuses an expired token %s: said so, and the new one is found without a restart", async (_, toUser) => {
    const folder = await mkdtemp(join(tmpdir(), "cactus-token-"));
    const file = join(folder, "token");
    await using site = await openSite(cluster, { kubernetesUser: await toUser("old", file) });
    const { user, kubernetes, url } = site;
    kubernetes.requireToken("old");
    const { run } = await user.createLive("ALL-01");
    kubernetes.requireToken("new");
    site.cutKubernetes();
    const { runId } = await user.create("ALL-01");
    await vi.waitFor(async () => {
      expect(await tellsOf(site, runId)).toMatch(/Could not create StatefulSet ts-\w+: the cluster answered 401\./);
    }, SOON);
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ cluster: "does not answer" });
    expect((await user.call("runs.status", run)).error?.reason).toBe("unavailable");
    await site.setKubernetesUser(await toUser("new", file));
    await settled(site, runId, ({ status }) => status === "started");
    for (const each of [run.runId, runId]) {
      await insist(site, "runs.finalise", { runId: each });
      expectResult(await gone(site, each), "whole");
    }
    await rm(folder, { recursive: true });
  });

  test("is not spoken to while the kubeconfig's plugin hangs: said so, and it goes on when that answers again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cactus-plugin-"));
    const [file, hanging] = [join(folder, "token"), join(folder, "hanging")];
    const apiVersion = "client.authentication.k8s.io/v1";
    const tell = (token: string) =>
      writeFile(file, JSON.stringify({ apiVersion, kind: "ExecCredential", status: { token } }));
    const script = `while [ -e ${hanging} ]; do sleep 0.1; done; cat ${file}`;
    await tell("old");
    await using site = await openSite(cluster, {
      kubernetesUser: { exec: { apiVersion, command: "sh", args: ["-c", script] } },
    });
    const { user, kubernetes } = site;
    kubernetes.requireToken("old");
    const { run } = await user.createLive("ALL-01");
    await writeFile(hanging, "");
    await tell("new");
    kubernetes.requireToken("new");
    site.cutKubernetes();
    const { runId } = await user.create("ALL-01");
    await vi.waitFor(async () => {
      const why = /Could not create StatefulSet ts-\w+: the cluster does not answer\./;
      expect(await tellsOf(site, runId)).toMatch(why);
    }, SOON);
    expect((await user.call("runs.status", run)).error?.reason).toBe("unavailable");
    await rm(hanging);
    for (const each of [run.runId, runId]) {
      await settled(site, each, ({ status }) => status === "started");
      await insist(site, "runs.finalise", { runId: each });
      expectResult(await gone(site, each), "whole");
    }
    await rm(folder, { recursive: true });
  });
});

test("a run that is deleted just while its teststack is seen to be gone leaves no result", async () => {
  await using site = await openSite(cluster);
  const { user, kubernetes, database } = site;
  const { run } = await user.createLive("ALL-01");
  const { runId } = run;
  const isLooked = Promise.withResolvers<void>();
  // What is asked last: whether the owner is still there.
  const deletes = async () => {
    await user.ask("runs.delete", { runId });
    isLooked.resolve();
  };
  kubernetes.fail("GET statefulsets", { after: deletes });
  await user.ask("runs.finalise", { runId });
  await isLooked.promise;
  const kinds = async () => {
    const events = database.db.selectFrom("event").select("kind").where("run_id", "=", runId).orderBy("number");
    return (await events.execute()).map(({ kind }) => kind);
  };
  await vi.waitFor(async () => expect(await kinds()).toContain("gone"), SOON);
  expect((await kinds()).slice(-3)).toEqual(["deleting", "delete_requested", "gone"]);
  expect(await database.db.selectFrom("artifact").select("id").execute()).toEqual([]);
  expect(await site.listObjects()).toEqual([]);
});

describe("a template, while a teststack is made from it,", () => {
  /** A run whose StatefulSet is there, and whose Service the API server refuses until it is let go on. */
  async function holdSpawn(): Promise<{ site: Site; runId: string; letGo: () => void }> {
    const site = await openSite(cluster);
    const { user, kubernetes } = site;
    kubernetes.fail("POST services", { answer: 500 }, 1_000);
    const { runId } = await user.create("ALL-01");
    await vi.waitFor(async () => expect(await tellsOf(site, runId)).toContain("the cluster answered 500"), SOON);
    return { site, runId, letGo: () => kubernetes.relent() };
  }

  /** Until the orchestrator knows of the trouble. */
  async function untilNoticed({ url }: Site, problem: string): Promise<void> {
    await vi.waitFor(async () => {
      expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({
        teststacks: expect.stringContaining(problem),
      });
    }, SOON);
  }

  async function expectGood(site: Site, runId: string): Promise<void> {
    await settled(site, runId, ({ status }) => status === "started");
    await insist(site, "runs.finalise", { runId });
    expectResult(await gone(site, runId), "whole");
    expect(await site.listObjects()).toEqual([]);
  }

  test("changes: the teststack is made to its end", async () => {
    const { site, runId, letGo } = await holdSpawn();
    await using _ = site;
    const change = (set: V1StatefulSet) =>
      set.spec?.template.spec?.containers[0]?.env?.push({ name: "CHANGED", value: "1" });
    await withTemplate({ cluster }, change, async () => {
      letGo();
      await expectGood(site, runId);
    });
  });

  test("breaks: the user is told, and it goes on when it is mended", async () => {
    const { site, runId, letGo } = await holdSpawn();
    await using _ = site;
    const rename = ({ spec }: V1StatefulSet) =>
      spec?.template.spec?.containers.forEach((container) => {
        container.name = "other";
      });
    await withTemplate({ cluster }, rename, async () => {
      const problem = "has no container named envoy";
      await untilNoticed(site, problem);
      letGo();
      await vi.waitFor(async () => expect(await tellsOf(site, runId)).toContain(problem), SOON);
      expect((await site.user.get(runId)).status).toBe("provisioning");
    });
    await expectGood(site, runId);
  });

  test("is deleted: the user is told, and it goes on when it is back", async () => {
    const { site, runId, letGo } = await holdSpawn();
    await using _ = site;
    const { core } = cluster.client;
    const place = { namespace: "teststack-templates", name: "envoy-svc" };
    const { spec } = await core.readNamespacedService(place);
    await core.deleteNamespacedService(place);
    const problem = "Service teststack-templates/envoy-svc does not exist";
    await untilNoticed(site, problem);
    letGo();
    await vi.waitFor(async () => expect(await tellsOf(site, runId)).toContain(problem), SOON);
    expect((await site.user.get(runId)).status).toBe("provisioning");
    const { ports = [], selector = {} } = spec ?? {};
    await core.createNamespacedService({
      namespace: place.namespace,
      body: { metadata: { name: place.name }, spec: { ports, selector } },
    });
    await expectGood(site, runId);
  });
});

test("a Pod that becomes ready while the database is away is not forgotten", async () => {
  const delay = (set: V1StatefulSet) =>
    set.spec?.template.spec?.containers[0]?.env?.push({ name: "START_DELAY_SECONDS", value: "3" });
  await withTemplate({ cluster }, delay, async () => {
    await using site = await openSite(cluster);
    const { user, database } = site;
    const { runId } = await user.create("ALL-01");
    await vi.waitFor(async () => expect(await tellsOf(site, runId)).toContain("Waiting for the Pod: starting"), SOON);
    await sleep(1_000);
    const row = await database.db.selectFrom("teststack").selectAll().executeTakeFirstOrThrow();
    // It waits, in nobody's hands, for news of the Pod.
    expect(row).toMatchObject({ phase: "created", lease_owner: null });
    site.trouble("Postgres", { kind: "refused" });
    await vi.waitFor(async () => {
      const { items } = await cluster.client.core.listNamespacedPod({
        namespace: "test-execution",
        labelSelector: `app=${row.name}`,
      });
      expect(items[0]?.status?.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
    }, SOON);
    await sleep(500);
    site.trouble("Postgres", { kind: "none" });
    await settled(site, runId, ({ status }) => status === "started");
    await insist(site, "runs.finalise", { runId });
    expectResult(await gone(site, runId), "whole");
  });
});
