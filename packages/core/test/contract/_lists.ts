import { describe, expect, test } from "vitest";
import { type Answer, expectStatus, type Target, type TestNamespace } from "./_target.ts";

const names = ({ json }: Answer): string[] =>
  json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);

/** Of the ConfigMaps that the tests make: the real server puts one of its own into each namespace. */
const OURS = "made=here";

async function createConfigMaps(ns: TestNamespace, labels: Record<string, Record<string, string>>): Promise<void> {
  for (const [name, more] of Object.entries(labels)) {
    await ns.createConfigMap(name, { metadata: { labels: { made: "here", ...more } } });
  }
}

export function describeLists(target: () => Target): void {
  describe("lists", () => {
    test("label and field selectors", async () => {
      await using ns = await target().createNamespace();
      await createConfigMaps(ns, { a: { app: "x", tier: "1" }, b: { app: "y" }, c: {} });
      const list = (query: Record<string, string>) =>
        target().call("GET", `${ns.path("configmaps")}?${new URLSearchParams(query)}`);
      const byLabels = async (labelSelector: string) =>
        names(await list({ labelSelector: `${OURS},${labelSelector}` }));
      expect(await byLabels("app=x")).toEqual(["a"]);
      expect(await byLabels("app==x")).toEqual(["a"]);
      expect(await byLabels("app!=x")).toEqual(["b", "c"]);
      expect(await byLabels("app")).toEqual(["a", "b"]);
      expect(await byLabels("!app")).toEqual(["c"]);
      expect(await byLabels("app in (x, y),tier")).toEqual(["a"]);
      expect(await byLabels("app notin (x)")).toEqual(["b", "c"]);
      expect(names(await list({ fieldSelector: "metadata.name=b" }))).toEqual(["b"]);
      expect(names(await list({ labelSelector: OURS, fieldSelector: "metadata.name!=b" }))).toEqual(["a", "c"]);
      expectStatus(await list({ labelSelector: "a b" }), 400, {
        message: expect.stringMatching(/^unable to parse requirement: found 'b', expected: in, notin, =/),
      });
      expectStatus(await target().call("GET", `${ns.path("pods")}?fieldSelector=data=b`), 400, {
        message: "field label not supported: data",
      });
      expectStatus(await list({ fieldSelector: "data=b" }), 400, {
        message: '"data" is not a known field selector: only "metadata.name", "metadata.namespace"',
      });
    });

    test("a list tells its version, and its items do not tell their kind", async () => {
      await using ns = await target().createNamespace();
      await createConfigMaps(ns, { a: {} });
      const { json } = await target().call("GET", `${ns.path("configmaps")}?labelSelector=${OURS}`);
      expect(json).toMatchObject({ kind: "ConfigMapList", apiVersion: "v1" });
      expect(json.metadata.resourceVersion).toMatch(/^\d+$/);
      expect(json.items[0]).not.toHaveProperty("kind");
      expect(json.items[0].metadata.name).toBe("a");
    });

    test("all namespaces, and one", async () => {
      await using one = await target().createNamespace();
      await using other = await target().createNamespace();
      const label = { of: one.name };
      await one.createConfigMap("a", { metadata: { labels: label } });
      await other.createConfigMap("b", { metadata: { labels: label } });
      const query = `labelSelector=of=${one.name}`;
      const all = await target().call("GET", `/api/v1/configmaps?${query}`);
      expect(new Set(names(all))).toEqual(new Set(["a", "b"]));
      expect(names(await target().call("GET", `${other.path("configmaps")}?${query}`))).toEqual(["b"]);
    });

    test("pages are of one moment, whatever is written between them", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      await createConfigMaps(ns, { a: {}, b: {}, c: {}, d: {}, e: {} });
      const page = (more = "") => call("GET", `${ns.path("configmaps")}?limit=2&labelSelector=${OURS}${more}`);
      const first = await page();
      expect(names(first)).toEqual(["a", "b"]);
      await call("DELETE", ns.path("configmaps", "d"));
      await createConfigMaps(ns, { bb: {} });
      const second = await page(`&continue=${first.json.metadata.continue}`);
      expect(names(second)).toEqual(["c", "d"]);
      expect(second.json.metadata.resourceVersion).toBe(first.json.metadata.resourceVersion);
      const third = await page(`&continue=${second.json.metadata.continue}`);
      expect(names(third)).toEqual(["e"]);
      expect(third.json.metadata.continue).toBeUndefined();
    });

    test("how many remain is told where nothing is selected", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      for (const name of ["a", "b", "c"]) {
        const body = { metadata: { name }, spec: { ports: [{ port: 80 }] } };
        await call("POST", ns.path("services"), { body });
      }
      const { json } = await call("GET", `${ns.path("services")}?limit=1`);
      expect(json.metadata.remainingItemCount).toBe(2);
    });

    test("an exact version of the past, and one to come", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const { metadata } = await ns.createConfigMap("a", { metadata: { labels: { made: "here" } } });
      await createConfigMaps(ns, { b: {} });
      const at = (query: string) => call("GET", `${ns.path("configmaps")}?labelSelector=${OURS}&${query}`);
      const exact = await at(`resourceVersion=${metadata?.resourceVersion}&resourceVersionMatch=Exact`);
      expect(names(exact)).toEqual(["a"]);
      expect(exact.json.metadata.resourceVersion).toBe(metadata?.resourceVersion);
      expect(names(await at(`resourceVersion=${metadata?.resourceVersion}&resourceVersionMatch=NotOlderThan`))).toEqual(
        ["a", "b"],
      );
      expectStatus(await at("resourceVersion=999999999"), 504, {
        reason: "Timeout",
        message: expect.stringMatching(/^Timeout: Too large resource version: 999999999, current: \d+$/),
        details: { causes: [{ reason: "ResourceVersionTooLarge" }], retryAfterSeconds: 1 },
      });
      expectStatus(await at("resourceVersionMatch=Exact"), 422, { details: { kind: "ListOptions" } });
      expectStatus(await at("resourceVersion=abc"), 400, { reason: "BadRequest" });
      expectStatus(await at("limit=abc"), 400, { reason: "BadRequest" });
      expectStatus(await at("continue=abc"), 400, { message: expect.stringMatching(/^invalid continue token/) });
    });

    test("rows to print, in the columns of kubectl", async () => {
      await using ns = await target().createNamespace();
      await ns.createConfigMap("a", { data: { k: "v" } });
      const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
      const { json } = await target().call("GET", ns.path("configmaps", "a"), { headers });
      expect(json).toMatchObject({ kind: "Table", apiVersion: "meta.k8s.io/v1" });
      expect(json.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual(["Name", "Data", "Age"]);
      expect(json.rows[0].cells).toEqual(["a", expect.anything(), expect.stringMatching(/^\d+s$/)]);
      expect(json.rows[0].object).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "a" } });
    });
  });
}
