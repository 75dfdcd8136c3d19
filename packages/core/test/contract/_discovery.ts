import { describe, expect, test } from "vitest";
import { expectStatus, type Target } from "./_target.ts";

interface ApiResource {
  name: string;
  kind: string;
  namespaced: boolean;
  verbs: string[];
  shortNames?: string[];
}

const VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"];

const KINDS = [
  ["/api/v1", "pods", "Pod", true, "po"],
  ["/api/v1", "namespaces", "Namespace", false, "ns"],
  ["/api/v1", "services", "Service", true, "svc"],
  ["/api/v1", "configmaps", "ConfigMap", true, "cm"],
  ["/apis/apps/v1", "statefulsets", "StatefulSet", true, "sts"],
  ["/apis/networking.k8s.io/v1", "ingresses", "Ingress", true, "ing"],
  ["/apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", true, "netpol"],
] as const;

export function describeDiscovery(target: () => Target): void {
  describe("discovery", () => {
    test("health and version", async () => {
      const { call } = target();
      for (const path of ["/healthz", "/livez", "/readyz"]) expect((await call("GET", path)).text).toBe("ok");
      expect((await call("GET", "/version")).json).toMatchObject({
        major: "1",
        gitVersion: expect.stringMatching(/^v1\./),
      });
    });

    test("what is served, group by group", async () => {
      const { call } = target();
      expect((await call("GET", "/api")).json).toMatchObject({ kind: "APIVersions", versions: ["v1"] });
      const { json } = await call("GET", "/apis");
      expect(json.kind).toBe("APIGroupList");
      const groups = json.groups.map(({ name }: { name: string }) => name);
      expect(groups).toEqual(
        expect.arrayContaining(["apps", "networking.k8s.io", "coordination.k8s.io", "discovery.k8s.io"]),
      );
      expect((await call("GET", "/apis/apps")).json).toMatchObject({ kind: "APIGroup", name: "apps" });
      for (const [path, plural, kind, namespaced, shortName] of KINDS) {
        const resources: ApiResource[] = (await call("GET", path)).json.resources;
        const found = resources.find(({ name }) => name === plural);
        expect(found).toMatchObject({ kind, namespaced, shortNames: expect.arrayContaining([shortName]) });
        expect(found?.verbs).toEqual(expect.arrayContaining(VERBS));
      }
      const core: ApiResource[] = (await call("GET", "/api/v1")).json.resources;
      const names = core.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(["pods/log", "pods/status", "pods/proxy", "services/proxy"]));
    });

    test("all groups at once", async () => {
      const headers = { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" };
      const { json, headers: answered } = await target().call("GET", "/apis", { headers });
      expect(answered["content-type"]).toContain("as=APIGroupDiscoveryList");
      expect(json.kind).toBe("APIGroupDiscoveryList");
      const apps = json.items.find(({ metadata }: { metadata: { name: string } }) => metadata.name === "apps");
      const sets = apps.versions[0].resources.find(({ resource }: { resource: string }) => resource === "statefulsets");
      expect(sets).toMatchObject({ scope: "Namespaced", responseKind: { kind: "StatefulSet" }, shortNames: ["sts"] });
    });

    test("nobody is let in without a name", async () => {
      const answer = await target().call("GET", "/api/v1/namespaces", { anonymous: true });
      // Real clusters may know an anonymous user, who may do nothing.
      const reasons: Record<number, string> = { 401: "Unauthorized", 403: "Forbidden" };
      expect(Object.keys(reasons)).toContain(String(answer.code));
      expectStatus(answer, answer.code, { reason: reasons[answer.code] });
    });
  });
}
