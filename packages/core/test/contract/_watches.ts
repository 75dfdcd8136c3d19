import { makeInformer, Watch } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { expectStatus, SOON, type Target, type TestNamespace } from "./_target.ts";

interface Line {
  type: string;
  object: {
    kind: string;
    code?: number;
    reason?: string;
    metadata: { name?: string; resourceVersion: string; annotations?: Record<string, string> };
  };
}

const MERGE_PATCH = "application/merge-patch+json";
const told = ({ type, object }: Line): string => `${type} ${object.metadata.name}`;

/** The events of a watch that ends by itself. */
async function watchFor(target: Target, path: string, query: Record<string, string>): Promise<Line[]> {
  const { text } = await target.call("GET", `${path}?${new URLSearchParams({ watch: "1", ...query })}`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

async function change(target: Target, ns: TestNamespace, name: string, labels: object): Promise<void> {
  const body = { metadata: { labels } };
  await target.call("PATCH", ns.path("configmaps", name), { body, contentType: MERGE_PATCH });
}

export function describeWatches(target: () => Target): void {
  describe("watches", () => {
    test("from a version, every change comes once and in order; time ends it cleanly", async () => {
      await using ns = await target().createNamespace();
      const { metadata } = await ns.createConfigMap("a");
      await ns.createConfigMap("b");
      await change(target(), ns, "a", { x: "1" });
      await target().call("DELETE", ns.path("configmaps", "b"));
      const lines = await watchFor(target(), ns.path("configmaps"), {
        resourceVersion: metadata?.resourceVersion ?? "",
        timeoutSeconds: "1",
        fieldSelector: "metadata.name!=kube-root-ca.crt",
      });
      expect(lines.map(told)).toEqual(["ADDED b", "MODIFIED a", "DELETED b"]);
      const versions = lines.map(({ object }) => Number(object.metadata.resourceVersion));
      expect(versions).toEqual([...versions].sort((one, other) => one - other));
      expect(versions[2]).toBeGreaterThan(versions[0] ?? 0);
    });

    test("without a version, what there is comes first", async () => {
      await using ns = await target().createNamespace();
      await ns.createConfigMap("a");
      const query = { timeoutSeconds: "1", fieldSelector: "metadata.name=a" };
      const lines = await watchFor(target(), ns.path("configmaps"), query);
      expect(lines.map(told)).toEqual(["ADDED a"]);
      expect(lines[0]?.object.kind).toBe("ConfigMap");
    });

    test("with a selector, an object comes and goes as its labels do", async () => {
      await using ns = await target().createNamespace();
      const { metadata } = await ns.createConfigMap("a");
      await change(target(), ns, "a", { app: "x" });
      await change(target(), ns, "a", { other: "1" });
      await change(target(), ns, "a", { app: "y" });
      const lines = await watchFor(target(), ns.path("configmaps"), {
        labelSelector: "app=x",
        resourceVersion: metadata?.resourceVersion ?? "",
        timeoutSeconds: "1",
      });
      expect(lines.map(told)).toEqual(["ADDED a", "MODIFIED a", "DELETED a"]);
    });

    test("bookmarks say where the watch stands, and after initial events that they are over", async () => {
      await using ns = await target().createNamespace();
      const { metadata } = await ns.createConfigMap("a");
      const lines = await watchFor(target(), ns.path("configmaps"), {
        sendInitialEvents: "true",
        resourceVersionMatch: "NotOlderThan",
        allowWatchBookmarks: "true",
        fieldSelector: "metadata.name=a",
        timeoutSeconds: "1",
      });
      expect(lines[0]).toMatchObject({ type: "ADDED", object: { metadata: { name: "a" } } });
      const bookmark = lines.find(({ type }) => type === "BOOKMARK");
      expect(bookmark?.object).toMatchObject({
        kind: "ConfigMap",
        metadata: { annotations: { "k8s.io/initial-events-end": "true" } },
      });
      const version = Number(bookmark?.object.metadata.resourceVersion);
      expect(version).toBeGreaterThanOrEqual(Number(metadata?.resourceVersion));
      const resumed = { resourceVersion: String(version), timeoutSeconds: "1", fieldSelector: "metadata.name=a" };
      expect(await watchFor(target(), ns.path("configmaps"), resumed)).toEqual([]);
    });

    test("from a version too old to be known, a watch says so and ends", async () => {
      await using ns = await target().createNamespace();
      const lines = await watchFor(target(), ns.path("configmaps"), { resourceVersion: "1" });
      expect(lines).toMatchObject([
        {
          type: "ERROR",
          object: {
            kind: "Status",
            status: "Failure",
            code: 410,
            reason: "Expired",
            message: expect.stringMatching(/^too old resource version: 1 \(\d+\)$/),
          },
        },
      ]);
    });

    test("what cannot be watched is refused", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const watch = (query: string) => call("GET", `${ns.path("configmaps")}?watch=1&${query}`);
      expectStatus(await watch("sendInitialEvents=true"), 422, {
        message: expect.stringContaining("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
      });
      expectStatus(await watch("labelSelector=a%20b"), 400, { reason: "BadRequest" });
      expect((await watch("resourceVersion=abc")).json).toMatchObject({ kind: "Status", status: "Failure" });
    });

    test("rows to print: columns once, then a row for each event", async () => {
      await using ns = await target().createNamespace();
      const { metadata } = await ns.createConfigMap("a");
      await change(target(), ns, "a", { x: "1" });
      await change(target(), ns, "a", { x: "2" });
      const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
      const path = `${ns.path("configmaps")}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name=a&resourceVersion=${metadata?.resourceVersion}`;
      const { text } = await target().call("GET", path, { headers });
      const tables = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).object);
      expect(
        tables.map(({ kind, columnDefinitions, rows }) => [kind, columnDefinitions?.length ?? 0, rows.length]),
      ).toEqual([
        ["Table", 3, 1],
        ["Table", 0, 1],
      ]);
    });

    test("the client's own watch and informer follow a namespace", async () => {
      await using ns = await target().createNamespace();
      const { config, core } = target().cluster;
      const seen: string[] = [];
      const controller = await new Watch(config).watch(
        ns.path("configmaps"),
        { labelSelector: "made=here" },
        (type: string, object: { metadata: { name: string } }) => seen.push(`${type} ${object.metadata.name}`),
        () => undefined,
      );
      const informer = makeInformer(
        config,
        ns.path("configmaps"),
        () => core.listNamespacedConfigMap({ namespace: ns.name, labelSelector: "made=here" }),
        "made=here",
      );
      await ns.createConfigMap("before", { metadata: { labels: { made: "here" } } });
      await informer.start();
      await ns.createConfigMap("after", { metadata: { labels: { made: "here" } } });
      await core.deleteNamespacedConfigMap({ namespace: ns.name, name: "before" });
      await expect.poll(() => seen, SOON).toEqual(["ADDED before", "ADDED after", "DELETED before"]);
      await expect.poll(() => informer.list(ns.name).map(({ metadata }) => metadata?.name), SOON).toEqual(["after"]);
      await informer.stop();
      controller.abort();
    });

    test("a watch taken up again and again from the last version misses and repeats nothing", async () => {
      await using ns = await target().createNamespace();
      const { metadata } = await ns.createConfigMap("start");
      let version = metadata?.resourceVersion ?? "";
      let isOver = false;
      const seen: string[] = [];
      const follow = async (): Promise<void> => {
        while (!(isOver && seen.length >= 40)) {
          const query = { resourceVersion: version, timeoutSeconds: "1", labelSelector: "made=here" };
          for (const line of await watchFor(target(), ns.path("configmaps"), query)) {
            seen.push(told(line));
            version = line.object.metadata.resourceVersion;
          }
        }
      };
      const write = async (): Promise<void> => {
        for (let index = 0; index < 20; index += 1) {
          await ns.createConfigMap(`c${index}`, { metadata: { labels: { made: "here" } } });
          await new Promise((resolve) => setTimeout(resolve, 60));
          await target().call("DELETE", ns.path("configmaps", `c${index}`));
        }
        isOver = true;
      };
      await Promise.all([follow(), write()]);
      const wanted = Array.from({ length: 20 }, (_, index) => [`ADDED c${index}`, `DELETED c${index}`]).flat();
      expect(seen).toEqual(wanted);
    });
  });
}
