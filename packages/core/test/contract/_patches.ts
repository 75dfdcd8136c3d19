import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { expectStatus, type Target } from "./_target.ts";

const JSON_PATCH = "application/json-patch+json";
const MERGE_PATCH = "application/merge-patch+json";
const STRATEGIC_PATCH = "application/strategic-merge-patch+json";

const template = (...containers: object[]): object => ({
  metadata: { labels: { app: "w" } },
  spec: { containers, volumes: [{ name: "v", emptyDir: {} }] },
});

export function describePatches(target: () => Target): void {
  describe("patches", () => {
    test("JSON Patch: all operations or none", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      await ns.createConfigMap("a", { metadata: { annotations: { "x/y": "old" } }, data: { k: "v", l: "w" } });
      const path = ns.path("configmaps", "a");
      const patch = (...body: object[]) => call("PATCH", path, { body, contentType: JSON_PATCH });
      const done = await patch(
        { op: "test", path: "/data/k", value: "v" },
        { op: "replace", path: "/data/k", value: "x" },
        { op: "replace", path: "/metadata/annotations/x~1y", value: "new" },
        { op: "move", from: "/data/l", path: "/data/o" },
        { op: "copy", from: "/data/o", path: "/data/p" },
      );
      expect(done.json.data).toEqual({ k: "x", o: "w", p: "w" });
      expect(done.json.metadata.annotations).toEqual({ "x/y": "new" });
    });

    test("JSON Patch: what fails is a 422, and what is none a 400", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      await ns.createConfigMap("a", { data: { k: "v" } });
      const path = ns.path("configmaps", "a");
      const failing = [
        { op: "test", path: "/data/k", value: "other" },
        { op: "remove", path: "/data/none" },
        { op: "replace", path: "/none/none", value: 1 },
        { op: "add", path: "/none/none", value: 1 },
        { op: "bogus", path: "/data/k" },
      ];
      for (const operation of failing) {
        const body = [{ op: "add", path: "/data/before", value: "x" }, operation];
        expectStatus(await call("PATCH", path, { body, contentType: JSON_PATCH }), 422, {
          reason: "Invalid",
          message: "the server rejected our request due to an error in our request",
        });
      }
      expect((await call("GET", path)).json.data).toEqual({ k: "v" });
      expectStatus(await call("PATCH", path, { body: { data: {} }, contentType: JSON_PATCH }), 400, {
        message: "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
      });
    });

    test("concurrent appends by JSON Patch are all kept", async () => {
      await using ns = await target().createNamespace();
      const paths = [{ path: "/first", pathType: "Exact", backend: { service: { name: "s", port: { number: 80 } } } }];
      const body = { metadata: { name: "i" }, spec: { rules: [{ http: { paths } }] } };
      const { call } = target();
      await call("POST", ns.path("ingresses"), { body });
      const append = async (index: number): Promise<number> => {
        const value = { ...paths[0], path: `/p${index}` };
        const operation = [{ op: "add", path: "/spec/rules/0/http/paths/-", value }];
        const { code } = await call("PATCH", ns.path("ingresses", "i"), { body: operation, contentType: JSON_PATCH });
        return code === 409 ? append(index) : code;
      };
      expect(await Promise.all([0, 1, 2, 3, 4, 5].map(append))).toEqual([200, 200, 200, 200, 200, 200]);
      const { json } = await call("GET", ns.path("ingresses", "i"));
      expect(json.spec.rules[0].http.paths).toHaveLength(7);
    });

    test("merge patch: null removes, lists are replaced; the version is checked where it is given", async () => {
      await using ns = await target().createNamespace();
      const { core } = target().cluster;
      await ns.createConfigMap("a", { metadata: { labels: { l: "m", n: "o" } }, data: { k: "v" } });
      const patched = await core.patchNamespacedConfigMap(
        { namespace: ns.name, name: "a", body: { metadata: { labels: { l: null, p: "q" } }, data: { x: "y" } } },
        setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
      );
      expect(patched.metadata?.labels).toEqual({ n: "o", p: "q" });
      expect(patched.data).toEqual({ k: "v", x: "y" });
      const { call } = target();
      const patch = (body: unknown, query = "") =>
        call("PATCH", ns.path("configmaps", "a") + query, { body, contentType: MERGE_PATCH });
      expectStatus(await patch({ metadata: { resourceVersion: "1" }, data: { z: "1" } }), 409, { reason: "Conflict" });
      expectStatus(await patch({ metadata: { name: "b" } }), 400, { reason: "BadRequest" });
      expectStatus(await patch([]), 400, {
        message: "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
      });
      const typed = await patch({ data: { k: 5 } });
      expectStatus(typed, 422, { reason: "Invalid", details: { causes: [{ field: "patch" }] } });
      expect(typed.json.message).toMatch(
        /json: cannot unmarshal number into Go struct field ConfigMap.data of type string$/,
      );
      const unknown = await patch({ dataa: {} }, "?fieldValidation=Strict");
      expectStatus(unknown, 422, { message: expect.stringMatching(/strict decoding error: unknown field "dataa"$/) });
      const none = await call("PATCH", ns.path("configmaps", "none"), { body: {}, contentType: MERGE_PATCH });
      expectStatus(none, 404, { reason: "NotFound" });
    });

    test("strategic merge patch: containers, variables and volumes by their keys, with directives", async () => {
      await using ns = await target().createNamespace();
      const { apps } = target().cluster;
      const env = (name: string, value: string) => ({ name, value });
      const spec = {
        replicas: 0,
        serviceName: "",
        selector: { matchLabels: { app: "w" } },
        template: template(
          { name: "a", image: "i", env: [env("X", "1"), env("Y", "2")] },
          { name: "b", image: "i", args: ["1"] },
        ),
      };
      const set = { metadata: { name: "w" }, spec };
      await target().call("POST", ns.path("statefulsets"), { body: set });
      const patched = await apps.patchNamespacedStatefulSet(
        {
          namespace: ns.name,
          name: "w",
          body: {
            spec: {
              template: {
                spec: {
                  "$setElementOrder/containers": [{ name: "c" }, { name: "a" }],
                  containers: [
                    { name: "c", image: "j" },
                    { name: "a", env: [env("Y", "3"), env("Z", "4"), { name: "X", $patch: "delete" }] },
                    { name: "b", $patch: "delete" },
                  ],
                  volumes: [{ name: "v", $retainKeys: ["name", "configMap"], configMap: { name: "m" } }],
                },
              },
            },
          },
        },
        setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch),
      );
      const pod = patched.spec?.template.spec;
      expect(pod?.containers.map(({ name, image }) => [name, image])).toEqual([
        ["c", "j"],
        ["a", "i"],
      ]);
      expect(pod?.containers[1]?.env).toEqual([env("Y", "3"), env("Z", "4")]);
      expect(pod?.volumes).toEqual([{ name: "v", configMap: { name: "m", defaultMode: 420 } }]);
    });

    test("strategic merge patch: finalizers add up, rules of an Ingress are replaced", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      await ns.createConfigMap("a", { metadata: { finalizers: ["x.y/a", "x.y/b"] } });
      const path = ns.path("configmaps", "a");
      const patch = (body: object) => call("PATCH", path, { body, contentType: STRATEGIC_PATCH });
      const metadata = { finalizers: ["x.y/c"], "$deleteFromPrimitiveList/finalizers": ["x.y/a"] };
      expect((await patch({ metadata })).json.metadata.finalizers).toEqual(["x.y/c", "x.y/b"]);
      await call("PATCH", path, { body: { metadata: { finalizers: null } }, contentType: MERGE_PATCH });
      const rule = (host: string) => ({ host, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } });
      const backend = { service: { name: "s", port: { number: 80 } } };
      const body = { metadata: { name: "i" }, spec: { rules: [rule("a"), rule("b")] } };
      await call("POST", ns.path("ingresses"), { body });
      const one = { spec: { rules: [rule("c")] } };
      const { json } = await call("PATCH", ns.path("ingresses", "i"), { body: one, contentType: STRATEGIC_PATCH });
      expect(json.spec.rules.map(({ host }: { host: string }) => host)).toEqual(["c"]);
    });
  });
}
