import { copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { openRegistry } from "../../test/_registry.ts";
import type { ClusterApi, KubernetesObject, WatchEvent } from "../cluster-api.ts";
import { Store } from "../store/store.ts";
import { createInProcessApi } from "./in-process-api.ts";
import { Registry } from "./registry.ts";

const buildConfig = (name: string, more: object = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", ...more },
  data: { key: "value" },
});
const config = (name: string) => ({ resource: "configmaps", namespace: "default", name });

interface Recording extends Disposable {
  events: string[];
}

function record(api: ClusterApi, resource: string, options = {}): Recording {
  const events: string[] = [];
  const note = ({ type, object }: WatchEvent<KubernetesObject>) => events.push(`${type} ${object.metadata.name}`);
  const watch = api.watch(resource, options, note);
  return { events, [Symbol.dispose]: () => watch[Symbol.dispose]() };
}

test("an object is created, read, changed, changed in its status alone, and deleted", async () => {
  using cluster = openRegistry({ now: () => new Date("2026-11-23T09:00:00.5Z") });
  const { api } = cluster;
  const sent = { apiVersion: "v1", kind: "Node", metadata: { name: "a" }, spec: {}, status: { phase: "x" } };
  const created = await api.create("nodes", sent);
  expect(created).toEqual({
    ...sent,
    metadata: {
      name: "a",
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      resourceVersion: expect.stringMatching(/^\d+$/),
      creationTimestamp: "2026-11-23T09:00:00Z",
    },
  });
  const ref = { resource: "nodes", namespace: "", name: "a" };
  const patched = await api.patch(ref, { spec: { unschedulable: true }, status: { phase: "y" } }, "status");
  expect(patched).toMatchObject({ spec: {}, status: { phase: "y" } });
  const updated = await api.update("nodes", { ...patched, spec: { podCIDR: "10.0.0.0/8" }, status: {} });
  expect(updated).toMatchObject({ spec: { podCIDR: "10.0.0.0/8" }, status: { phase: "y" } });
  await expect(api.update("nodes", patched)).rejects.toMatchObject({ code: 409, reason: "Conflict" });
  expect((await api.list("nodes")).items).toEqual([updated]);
  await api.delete(ref);
  await expect(api.get(ref)).rejects.toMatchObject({ code: 404, reason: "NotFound", message: 'nodes "a" not found' });
});

test("an update that changes nothing writes nothing", async () => {
  using cluster = openRegistry();
  const created = await cluster.api.create<KubernetesObject>("configmaps", buildConfig("a"));
  const same = await cluster.api.patch<KubernetesObject>(config("a"), { data: { key: "value" } });
  expect(same.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
});

test("a watch reports what there is, then each change, also to writers inside it, and nothing once disposed", async () => {
  using cluster = openRegistry();
  const { api } = cluster;
  await api.create("configmaps", buildConfig("a"));
  const seen: string[] = [];
  using _writer = api.watch<KubernetesObject>("configmaps", {}, ({ type, object }) => {
    seen.push(`${type} ${object.metadata.name}`);
    if (type === "ADDED") void api.delete(config(object.metadata.name ?? ""));
  });
  const late = record(api, "configmaps");
  await api.create("configmaps", buildConfig("b"));
  await expect.poll(() => seen).toEqual(["ADDED a", "ADDED b", "DELETED a", "DELETED b"]);
  expect(late.events).toEqual(["ADDED a", "ADDED b", "DELETED a", "DELETED b"]);
  await api.create("configmaps", buildConfig("c"));
  late[Symbol.dispose]();
  await nextTurn();
  expect(late.events).toHaveLength(4);
});

test("for a watch with a selector, an object comes and goes as its labels do", async () => {
  using cluster = openRegistry();
  const { api } = cluster;
  using watch = record(api, "configmaps", { namespace: "default", labelSelector: "app in (x,y)" });
  await api.create("configmaps", buildConfig("a"));
  await api.patch(config("a"), { metadata: { labels: { app: "x" } } });
  await api.patch(config("a"), { metadata: { labels: { app: "y" } } });
  await api.patch(config("a"), { metadata: { labels: { app: "z" } } });
  await api.delete(config("a"));
  await expect.poll(() => watch.events).toEqual(["ADDED a", "MODIFIED a", "DELETED a"]);
});

test("objects survive the process, and versions never come again", async () => {
  using cluster = openRegistry();
  const created = await cluster.api.create<KubernetesObject>("configmaps", buildConfig("a"));
  await cluster.api.delete(config("a"));
  await cluster.api.create("configmaps", buildConfig("b"));
  expect(() => new Store(cluster.file)).toThrow(/is another cluster running on it/);
  // The files as a killed process leaves them: not closed.
  const copy = join(dirname(cluster.file), "copy.db");
  for (const end of ["", "-wal"]) copyFileSync(cluster.file + end, copy + end);
  using store = new Store(copy);
  const api = createInProcessApi(new Registry(store));
  const { items, resourceVersion } = await api.list("configmaps");
  expect(items).toEqual((await cluster.api.list("configmaps")).items);
  expect(Number(resourceVersion)).toBeGreaterThan(cluster.registry.store.version);
  expect(() => store.eventsSince("configmaps", Number(created.metadata.resourceVersion))).toThrow(
    /^too old resource version: /,
  );
});

test("a bound Pod is deleted in two steps, by mark and by its node", async () => {
  using cluster = openRegistry();
  const { api } = cluster;
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "default" } };
  const ref = { resource: "pods", namespace: "default", name: "p" };
  const spec = { containers: [{ name: "c", image: "i" }], terminationGracePeriodSeconds: 7 };
  await api.create("pods", { ...pod, spec });
  await api.delete(ref);
  await expect(api.get(ref)).rejects.toMatchObject({ code: 404 });
  await api.create("pods", { ...pod, spec: { ...spec, nodeName: "n" } });
  await api.delete(ref);
  expect(await api.get(ref)).toMatchObject({ metadata: { deletionGracePeriodSeconds: 7 } });
  await api.delete(ref, { gracePeriodSeconds: 20 });
  expect(await api.get(ref)).toMatchObject({ metadata: { deletionGracePeriodSeconds: 7 } });
  await expect(api.delete(ref, { preconditions: { uid: "other" }, gracePeriodSeconds: 0 })).rejects.toMatchObject({
    code: 409,
  });
  await api.delete(ref, { gracePeriodSeconds: 0 });
  await expect(api.get(ref)).rejects.toMatchObject({ code: 404 });
});
