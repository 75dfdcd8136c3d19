import { afterEach, expect, test } from "vitest";
import type { ClusterApi, KubernetesObject } from "../src/cluster-api.ts";
import { removeOldEvents } from "../src/controllers/event-expiry.ts";
import { startControllers } from "../src/controllers/index.ts";
import { silentLogger } from "../src/logger.ts";
import { openRegistry, type RegistryFixture } from "./_registry.ts";

/** The controllers on a registry, with a node that is only an object: Pods are bound, and run when a test says so. */
interface Fixture extends AsyncDisposable {
  api: ClusterApi;
  registry: RegistryFixture;
  create(resource: string, name: string, more?: object): Promise<KubernetesObject>;
  find(resource: string, name: string): Promise<KubernetesObject | undefined>;
  reasons(): Promise<string[]>;
}

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0)) await each[Symbol.asyncDispose]();
});

const KINDS: Record<string, [string, string]> = {
  nodes: ["v1", "Node"],
  namespaces: ["v1", "Namespace"],
  pods: ["v1", "Pod"],
  services: ["v1", "Service"],
  configmaps: ["v1", "ConfigMap"],
  events: ["v1", "Event"],
  statefulsets: ["apps/v1", "StatefulSet"],
  ingressclasses: ["networking.k8s.io/v1", "IngressClass"],
};
const namespaceOf = (resource: string): string =>
  ["nodes", "namespaces", "ingressclasses"].includes(resource) ? "" : "default";

function start(): Fixture {
  const registry = openRegistry();
  const { api } = registry;
  const controllers = startControllers({ cluster: api, logger: silentLogger });
  const fixture: Fixture = {
    api,
    registry,
    create: (resource, name, { metadata, ...more }: { metadata?: object } = {}) => {
      const [apiVersion, kind] = KINDS[resource] ?? ["", ""];
      const namespace = namespaceOf(resource);
      return api.create(resource, {
        apiVersion,
        kind,
        metadata: { name, ...(namespace && { namespace }), ...metadata },
        ...more,
      });
    },
    find: (resource, name) => api.get({ resource, namespace: namespaceOf(resource), name }).catch(() => undefined),
    reasons: async () => {
      const { items } = await api.list("events");
      return items.map(({ reason, message }) => `${String(reason)}: ${String(message)}`).sort(byText);
    },
    async [Symbol.asyncDispose]() {
      await controllers[Symbol.asyncDispose]();
      registry[Symbol.dispose]();
    },
  };
  stack.push(fixture);
  return fixture;
}

function byText(one: string, other: string): number {
  return one < other ? -1 : 1;
}

const container = { name: "c", image: "i", ports: [{ name: "http", containerPort: 8080 }] };
const readyNode = { status: { conditions: [{ type: "Ready", status: "True" }] } };

function buildSet(spec: object = {}): object {
  const template = { metadata: { labels: { app: "web" } }, spec: { containers: [container] } };
  return { spec: { serviceName: "web", selector: { matchLabels: { app: "web" } }, template, ...spec } };
}

/** As a node tells of a Pod that runs. */
async function run({ api }: Fixture, name: string, podIP: string, isReady = true): Promise<void> {
  const conditions = [
    { type: "Ready", status: isReady ? "True" : "False", lastTransitionTime: "2026-01-01T00:00:00Z" },
  ];
  const ref = { resource: "pods", namespace: "default", name };
  await api.patch(ref, { status: { phase: "Running", podIP, conditions } }, "status");
}

const endPod = ({ api }: Fixture, name: string): Promise<void> =>
  api.delete({ resource: "pods", namespace: "default", name }, { gracePeriodSeconds: 0 });

test("a Pod waits for a node that is ready; one for another scheduler is left alone", async () => {
  const fixture = start();
  await fixture.create("pods", "p", { spec: { containers: [container] } });
  await fixture.create("pods", "other", { spec: { containers: [container], schedulerName: "none" } });
  await fixture.create("nodes", "down", { status: { conditions: [{ type: "Ready", status: "False" }] } });
  await fixture.create("nodes", "closed", { ...readyNode, spec: { unschedulable: true } });
  expect(await fixture.find("pods", "p")).not.toHaveProperty("spec.nodeName");
  await fixture.create("nodes", "up", readyNode);
  await expect.poll(() => fixture.find("pods", "p")).toMatchObject({ spec: { nodeName: "up" } });
  expect(await fixture.find("pods", "other")).not.toHaveProperty("spec.nodeName");
  await expect.poll(() => fixture.reasons()).toEqual(["Scheduled: Successfully assigned default/p to up"]);
});

test("a StatefulSet's Pods come one after another, and go from the last", async () => {
  const fixture = start();
  await fixture.create("nodes", "up", readyNode);
  await fixture.create("statefulsets", "web", buildSet({ replicas: 2 }));
  await expect.poll(() => fixture.find("pods", "web-0")).toMatchObject({ spec: { nodeName: "up" } });
  expect(await fixture.find("pods", "web-1")).toBeUndefined();
  await run(fixture, "web-0", "10.0.0.1");
  await expect.poll(() => fixture.find("pods", "web-1")).toBeDefined();
  await run(fixture, "web-1", "10.0.0.2");
  const status = async () => (await fixture.find("statefulsets", "web"))?.["status"];
  await expect.poll(status).toMatchObject({ replicas: 2, readyReplicas: 2, availableReplicas: 2, currentReplicas: 2 });
  const ref = { resource: "statefulsets", namespace: "default", name: "web" };
  await fixture.api.patch(ref, { spec: { replicas: 0 } });
  await expect.poll(() => fixture.find("pods", "web-1")).toHaveProperty("metadata.deletionTimestamp");
  expect(await fixture.find("pods", "web-0")).not.toHaveProperty("metadata.deletionTimestamp");
  await endPod(fixture, "web-1");
  await expect.poll(() => fixture.find("pods", "web-0")).toHaveProperty("metadata.deletionTimestamp");
  await endPod(fixture, "web-0");
  await expect.poll(status).toMatchObject({ replicas: 0, availableReplicas: 0, observedGeneration: 2 });
});

test("a Pod that failed comes again, and an Event tells of it; the same Event again is counted", async () => {
  const fixture = start();
  const created = await fixture.create("statefulsets", "web", buildSet());
  expect(created.metadata.generation).toBe(1);
  let uid: unknown;
  for (const ip of ["10.0.0.1", "10.0.0.2"]) {
    await expect.poll(async () => (await fixture.find("pods", "web-0"))?.metadata.uid).not.toBe(uid);
    await expect.poll(() => fixture.find("pods", "web-0")).toBeDefined();
    uid = (await fixture.find("pods", "web-0"))?.metadata.uid;
    const ref = { resource: "pods", namespace: "default", name: "web-0" };
    await fixture.api.patch(ref, { status: { phase: "Failed", podIP: ip } }, "status");
  }
  const counts = async () => {
    const { items } = await fixture.api.list("events");
    return Object.fromEntries(items.map(({ reason, count }) => [String(reason), count]));
  };
  await expect.poll(counts).toEqual({ SuccessfulCreate: 3, RecreatingFailedPod: 2, SuccessfulDelete: 2 });
  expect(await fixture.reasons()).toContain(
    "RecreatingFailedPod: StatefulSet default/web is recreating failed Pod web-0",
  );
});

test("a ready Pod counts as available only after a while, where that is asked for", async () => {
  const fixture = start();
  await fixture.create("statefulsets", "web", buildSet({ minReadySeconds: 1 }));
  await expect.poll(() => fixture.find("pods", "web-0")).toBeDefined();
  const conditions = [{ type: "Ready", status: "True", lastTransitionTime: new Date(Date.now() + 500).toISOString() }];
  const ref = { resource: "pods", namespace: "default", name: "web-0" };
  await fixture.api.patch(ref, { status: { phase: "Running", conditions } }, "status");
  const status = async () => (await fixture.find("statefulsets", "web"))?.["status"];
  await expect.poll(status).toMatchObject({ readyReplicas: 1, availableReplicas: 0 });
  await expect.poll(status, { timeout: 10_000 }).toMatchObject({ readyReplicas: 1, availableReplicas: 1 });
});

test("a Pod that another owns is not taken, and an Event says what is in the way", async () => {
  const fixture = start();
  const owner = { apiVersion: "v1", kind: "Other", name: "o", uid: "u", controller: true };
  const metadata = { labels: { app: "web" }, ownerReferences: [owner] };
  await fixture.create("pods", "web-0", { metadata, spec: { containers: [container] } });
  await fixture.create("statefulsets", "web", buildSet());
  const message = 'FailedCreate: Create Pod web-0 in StatefulSet web failed error: pods "web-0" already exists';
  await expect.poll(() => fixture.reasons()).toEqual([message]);
  expect(await fixture.find("pods", "web-0")).toMatchObject({ metadata: { ownerReferences: [owner] } });
});

test("endpoints follow Pods and their labels, and go with the Service", async () => {
  const fixture = start();
  const spec = { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] };
  await fixture.create("services", "web", { spec });
  await fixture.create("pods", "p", { metadata: { labels: { app: "web" } }, spec: { containers: [container] } });
  const endpoints = async (): Promise<unknown[]> =>
    (await fixture.api.list("endpointslices")).items.map(({ endpoints: all, ports }) => [
      Object(all).map(({ addresses, conditions }: { addresses: string[]; conditions: object }) => [
        addresses[0],
        conditions,
      ]),
      Object(ports).map(({ port }: { port: number }) => port),
    ]);
  await expect.poll(endpoints).toEqual([[[], []]]);
  await run(fixture, "p", "10.0.0.1", false);
  await expect
    .poll(endpoints)
    .toEqual([[[["10.0.0.1", { ready: false, serving: false, terminating: false }]], [8080]]]);
  await run(fixture, "p", "10.0.0.1");
  await expect.poll(endpoints).toMatchObject([[[["10.0.0.1", { ready: true }]], [8080]]]);
  await fixture.api.patch(
    { resource: "pods", namespace: "default", name: "p" },
    { metadata: { labels: { app: null } } },
  );
  await expect.poll(endpoints).toEqual([[[], []]]);
  await fixture.api.delete({ resource: "services", namespace: "default", name: "web" });
  await expect.poll(endpoints).toEqual([]);
});

test("of objects that own each other across scopes, only those are collected whose owners are known to be gone", async () => {
  const fixture = start();
  const reference = (kind: string, name: string, uid = "none") => [{ apiVersion: "v1", kind, name, uid }];
  await fixture.create("configmaps", "of-unknown-kind", { metadata: { ownerReferences: reference("Unknown", "x") } });
  const node = await fixture.create("nodes", "up", readyNode);
  await fixture.create("configmaps", "of-node", {
    metadata: { ownerReferences: reference("Node", "up", node.metadata.uid) },
  });
  const owned = await fixture.create("configmaps", "owner");
  await fixture.create("ingressclasses", "of-configmap", {
    metadata: { ownerReferences: reference("ConfigMap", "owner", owned.metadata.uid) },
    spec: { controller: "x/y" },
  });
  const elsewhere = await fixture.api.create<KubernetesObject>("configmaps", {
    ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "far", namespace: "kube-public" } },
  });
  await fixture.create("configmaps", "of-far", {
    metadata: { ownerReferences: reference("ConfigMap", "far", elsewhere.metadata.uid) },
  });
  await expect.poll(() => fixture.find("configmaps", "of-far")).toBeUndefined();
  expect((await fixture.reasons()).join()).toMatch(
    /^OwnerRefInvalidNamespace: ownerRef \[v1\/ConfigMap, namespace: default, name: far, uid: /,
  );
  await fixture.api.delete({ resource: "nodes", namespace: "", name: "up" });
  await expect.poll(() => fixture.find("configmaps", "of-node")).toBeUndefined();
  expect(await fixture.find("configmaps", "of-unknown-kind")).toBeDefined();
  expect(await fixture.find("ingressclasses", "of-configmap")).toBeDefined();
});

test("controllers that start late do what was left undone", async () => {
  using registry = openRegistry();
  const { api } = registry;
  const deps = { cluster: api, logger: silentLogger };
  {
    await using _first = startControllers(deps);
    await api.create("namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "going" } });
    await api.create("statefulsets", {
      ...{ apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "web", namespace: "going" } },
      ...buildSet(),
    });
  }
  const owner = { apiVersion: "v1", kind: "ConfigMap", name: "none", uid: "none" };
  await api.create("configmaps", {
    ...{ apiVersion: "v1", kind: "ConfigMap" },
    metadata: { name: "lost", namespace: "default", ownerReferences: [owner] },
  });
  await api.delete({ resource: "namespaces", namespace: "", name: "going" });
  await using _second = startControllers(deps);
  await expect.poll(async () => (await api.list("configmaps")).items).toEqual([]);
  await expect.poll(async () => (await api.list("statefulsets")).items).toEqual([]);
  const names = async () => (await api.list("namespaces")).items.map(({ metadata }) => metadata.name);
  await expect.poll(names).not.toContain("going");
});

test("Events are kept for an hour", async () => {
  using registry = openRegistry();
  const { api } = registry;
  const at = (name: string, lastTimestamp: string): object => ({
    ...{ apiVersion: "v1", kind: "Event", metadata: { name, namespace: "default" }, lastTimestamp },
    involvedObject: { kind: "Pod", namespace: "default", name: "p" },
  });
  await api.create("events", at("old", "2026-01-01T00:59:59Z"));
  await api.create("events", at("young", "2026-01-01T01:00:01Z"));
  await removeOldEvents({ cluster: api, now: () => new Date("2026-01-01T02:00:00Z") });
  expect((await api.list("events")).items.map(({ metadata }) => metadata.name)).toEqual(["young"]);
});
