import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RbacAuthorizationV1Api } from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { ACCOUNT, type Deployment, startDeployment } from "./_deployment.ts";
import { between, type DeploymentUser, type LiveRun, openUser, untilServed } from "./_deployment-user.ts";
import { killContainer, leaveOrphans, listObjects, refuseServices } from "./_mischief.ts";

/** Long tests: a Pod takes its seconds on a busy machine, and a rollout waits for each. */
const LONG = 240_000;
vi.setConfig({ testTimeout: LONG });

let deployment: Deployment;
let user: DeploymentUser;
beforeAll(async () => {
  deployment = await startDeployment();
  user = await openUser(deployment, "tester");
  await untilServed(user);
}, 2 * LONG);
afterAll(async () => {
  await user?.[Symbol.asyncDispose]();
  await deployment?.[Symbol.asyncDispose]();
}, LONG);

const tell = (line: string): void => void process.stdout.write(`      ${line}\n`);
const several = <TResult>(count: number, act: () => Promise<TResult>): Promise<TResult[]> =>
  Promise.all(Array.from({ length: count }, act));

async function finalise(runs: LiveRun[]): Promise<void> {
  await Promise.all(runs.map(({ run: { runId } }) => user.client.runs.finalise.mutate({ runId })));
}

/** Serves the device; a worker of nginx that has not heard of the route yet answers 503, for a second at most. */
async function expectServed(run: LiveRun): Promise<void> {
  await expect.poll(() => user.visit(run), { timeout: 5_000 }).toBe(200);
}

function middle(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

/** The middle of how long each stage took. The Pod's own start is not ours; all that comes after it is. */
function tellTimes(what: string, runs: LiveRun[]): void {
  const stages = ["requested", "created", "ready", "routed", "started"];
  const times = stages.slice(1).map((stage, index) => {
    const took = middle(runs.map((run) => between(run, stages[index] ?? "", stage)));
    return `${stage} ${took} ms`;
  });
  tell(`${what}: ${times.join(", ")} after what came before`);
}

async function listReplicas(): Promise<string[]> {
  const labelSelector = "app.kubernetes.io/name=orchestrator";
  const { items } = await deployment.cluster.core.listNamespacedPod({ namespace: "test-orchestration", labelSelector });
  return items.filter(({ metadata }) => !metadata?.deletionTimestamp).map(({ metadata }) => metadata?.name ?? "");
}

/** As a node that fails takes it away: without a chance to finish anything. */
async function killReplica(): Promise<void> {
  const [name = ""] = await listReplicas();
  await deployment.cluster.core.deleteNamespacedPod({
    namespace: "test-orchestration",
    name,
    body: { gracePeriodSeconds: 0 },
  });
}

const listTeststacks = (): Promise<string[]> => listObjects(deployment);

async function untilRolledOut(): Promise<void> {
  const where = ["deployment/orchestrator", "-n", "test-orchestration"];
  await deployment.kubectl("rollout", "status", ...where, "--timeout=120s");
}

test("the images are small, and hold no tool to build with", () => {
  const { imageSizes } = deployment;
  for (const [name, size] of Object.entries(imageSizes)) tell(`${name}: ${size} MiB`);
  expect(imageSizes["cactus.local/orchestrator:test"]).toBeLessThan(250);
});

test("10 tests at once, from outside: request, device over mutual TLS, result, nothing left", async () => {
  const runs = await several(10, async () => user.untilLive(await user.create()));
  tellTimes("10 at once", runs);
  for (const run of runs) {
    expect(run.run.testUrl).toMatch(/^https:\/\/cactus\.test\/ts-[a-z0-9]{12}\/dcap$/);
    await expectServed(run);
  }
  await finalise(runs);
  for (const { run } of runs) {
    const ended = await user.untilGone(run.runId);
    expect(ended).toMatchObject({ status: "finalised", artifact: { kind: "complete" }, failure: null });
    const zip = await user.download(run.runId);
    expect(createHash("sha256").update(zip).digest("hex")).toBe(ended.artifact?.sha256);
  }
  expect(await listTeststacks()).toEqual([]);
});

test("a test of its own takes few requests to the API server", async () => {
  const listWrites = async (since: Date): Promise<string[]> => {
    const requests = (await deployment.listRequests()).filter(({ receivedAt }) => receivedAt >= since);
    const asked = requests.filter(({ place, verb }) => verb !== "watch" && place?.includes("secrets") === false);
    tell(`${asked.length} requests to the API server`);
    const writes = asked.filter(({ verb }) => verb !== "get" && verb !== "list");
    return writes.map(({ verb, place }) => `${verb} ${place}`).toSorted((a, b) => a.localeCompare(b));
  };
  const asked = new Date();
  const live = await user.untilLive(await user.create());
  tellTimes("one spawn", [live]);
  expect(await listWrites(asked)).toEqual([
    "create test-execution//services",
    "create test-execution/apps/statefulsets",
    "create test-execution/networking.k8s.io/ingresses",
  ]);
  const finalised = new Date();
  await finalise([live]);
  await user.untilGone(live.run.runId);
  tell("one teardown:");
  expect(await listWrites(finalised)).toEqual(["delete test-execution/apps/statefulsets"]);
});

test("a replica is lost while tests are made: all of them come up", async () => {
  const created = await several(6, () => user.create());
  await killReplica();
  const runs = await Promise.all(created.map((run) => user.untilLive(run)));
  for (const run of runs) await expectServed(run);
  await finalise(runs);
  for (const { run } of runs) expect(await user.untilGone(run.runId)).toMatchObject({ status: "finalised" });
  expect(await listTeststacks()).toEqual([]);
  await untilRolledOut();
});

test("a replica is lost while results are fetched: each run ends with what there was, nothing is left", async () => {
  const template = ["set", "env", "statefulset/envoy-set", "-n", "teststack-templates"];
  await deployment.kubectl(...template, "FINALIZE_SECONDS=3");
  const runs = await several(6, async () => user.untilLive(await user.create()));
  await deployment.kubectl(...template, "FINALIZE_SECONDS-");
  await finalise(runs);
  for (const { run } of runs) await user.untilEvent(run.runId, "collecting");
  await killReplica();
  const ended = await Promise.all(runs.map(({ run }) => user.untilGone(run.runId)));
  for (const run of ended) expect(run).toMatchObject({ status: "finalised", hasArtifact: true });
  tell(`results: ${ended.map(({ artifact }) => artifact?.kind).join(", ")}`);
  expect(await listTeststacks()).toEqual([]);
  await untilRolledOut();
});

/** Users who look at their lists all the time. */
function keepAsking(): { stop(): Promise<{ calls: number; failures: unknown[] }> } {
  const told: { calls: number; failures: unknown[] } = { calls: 0, failures: [] };
  const over = new AbortController();
  onTestFinished(() => over.abort());
  const users = several(4, async () => {
    while (!over.signal.aborted) {
      told.calls += 1;
      await user.client.runs.list.query({}).catch((error: unknown) => told.failures.push(error));
      await sleep(20);
    }
  });
  return {
    async stop() {
      over.abort();
      await users;
      return told;
    },
  };
}

test("a new version is rolled out under load: no call fails, every run comes through, its story whole", async () => {
  const load = keepAsking();
  const throughout = await user.create();
  const work = several(8, async () => user.untilLive(await user.create()));
  const image = "orchestrator=cactus.local/orchestrator:next";
  await deployment.kubectl("set", "image", "deployment/orchestrator", "-n", "test-orchestration", image);
  await untilRolledOut();
  const runs = [await user.untilLive(throughout), ...(await work)];
  await finalise(runs);
  const ended = await Promise.all(runs.map(({ run }) => user.untilGone(run.runId)));
  const { calls, failures } = await load.stop();
  tell(`${calls} calls during the rollout, ${failures.length} failed`);
  expect(failures).toEqual([]);
  for (const run of ended) expect(run).toMatchObject({ status: "finalised", hasArtifact: true });
  expect(await listTeststacks()).toEqual([]);
});

test("a teststack's container is killed: its run fails at once, with evidence", async () => {
  const live = await user.untilLive(await user.create());
  const name = new URL(live.run.testUrl ?? "").pathname.split("/")[1];
  const killedAt = Date.now();
  await killContainer(`${name}-0`);
  await user.untilEvent(live.run.runId, "failed");
  tell(`told ${Date.now() - killedAt} ms after the kill`);
  const run = await user.untilGone(live.run.runId);
  expect(run).toMatchObject({
    status: "failed",
    failure: { reason: "container_restarted" },
    artifact: { kind: "partial" },
  });
  expect(await listTeststacks()).toEqual([]);
});

test("writes that are refused for a while are made later, and what is there already is recognised", async () => {
  const refusal = await refuseServices(deployment, ACCOUNT);
  const created = await user.create();
  await refusal.makeServiceOf(await untilStatefulSet());
  await refusal[Symbol.asyncDispose]();
  const live = await user.untilLive(created);
  await expectServed(live);
  await finalise([live]);
  await user.untilGone(live.run.runId);
});

async function untilStatefulSet(): Promise<string> {
  const query = { namespace: "test-execution" };
  const find = async () => (await deployment.cluster.apps.listNamespacedStatefulSet(query)).items[0]?.metadata?.name;
  await expect.poll(find, { timeout: 30_000 }).toBeDefined();
  return (await find()) ?? "";
}

test("the certificates of edge and API, two thirds of their life over, are renewed", async () => {
  expect([...deployment.oldCertificates.keys()]).toHaveLength(2);
  for (const [place, old] of deployment.oldCertificates) {
    const [namespace = "", name = ""] = place.split("/");
    const read = async () => {
      const { data } = await deployment.cluster.core.readNamespacedSecret({ namespace, name });
      return Buffer.from(data?.["tls.crt"] ?? "", "base64").toString();
    };
    await expect.poll(read, { timeout: 30_000 }).not.toBe(old);
  }
});

test("objects that belong to no run are collected", async () => {
  const live = await user.untilLive(await user.create());
  const orphans = await leaveOrphans(deployment);
  await expect.poll(() => listObjects(deployment, orphans), { timeout: 60_000 }).toEqual([]);
  await expectServed(live);
  await finalise([live]);
  await user.untilGone(live.run.runId);
});

test("the Roles grant what is used, and nothing else", async () => {
  const requests = await deployment.listRequests();
  expect(requests.filter(({ isForbidden }) => isForbidden).map(({ verb, place }) => `${verb} ${place}`)).toEqual([]);
  const used = requests.flatMap(({ verb, place }) => (place === undefined ? [] : [`${verb} ${place}`]));
  const rbac = deployment.cluster.config.makeApiClient(RbacAuthorizationV1Api);
  const namespaces = ["test-orchestration", "test-execution", "teststack-templates"];
  const roles = await Promise.all(
    namespaces.map((namespace) => rbac.readNamespacedRole({ namespace, name: "orchestrator" })),
  );
  const granted = roles.flatMap(({ metadata, rules = [] }) =>
    rules.flatMap(({ verbs, resources = [], apiGroups: [group = ""] = [] }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${metadata?.namespace}/${group}/${resource}`)),
    ),
  );
  expect(new Set(used)).toEqual(new Set(granted));
});
