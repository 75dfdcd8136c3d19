import { describe, expect, test } from "vitest";
import { type Answer, expectStatus, SOON, type Target, type TestNamespace } from "./_target.ts";

/** What the user may do: one rule with verbs on a part, one for a name, one for anything in a group. */
const RULES = [
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "create"] },
  { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
  { apiGroups: [""], resources: ["secrets"], resourceNames: ["mine"], verbs: ["get", "patch"] },
  { apiGroups: ["networking.k8s.io"], resources: ["*"], verbs: ["*"] },
];

const mergePatch = { body: {}, contentType: "application/merge-patch+json" };
type Attempt = [method: string, resource: string, name: string, options?: object];

/** With the code that says they got past the check, whatever came of them then. */
const ALLOWED: [...Attempt, number][] = [
  ["GET", "configmaps", "", {}, 200],
  ["GET", "configmaps", "none", {}, 404],
  ["POST", "configmaps", "", { body: { metadata: { name: "made" } } }, 201],
  ["GET", "pods", "none/log", {}, 404],
  ["GET", "secrets", "mine", {}, 404],
  ["PATCH", "secrets", "mine", mergePatch, 404],
  ["DELETE", "ingresses", "none", {}, 404],
  ["DELETE", "networkpolicies", "", {}, 200],
];

/** With the words of the refusal before and after those that are always the same. */
const REFUSED: [...Attempt, string, string][] = [
  ["DELETE", "configmaps", "a", {}, 'configmaps "a" is forbidden', 'delete resource "configmaps" in API group ""'],
  ["DELETE", "configmaps", "", {}, "configmaps is forbidden", 'deletecollection resource "configmaps" in API group ""'],
  [
    "PUT",
    "configmaps",
    "a",
    { body: {} },
    'configmaps "a" is forbidden',
    'update resource "configmaps" in API group ""',
  ],
  ["GET", "configmaps", "?watch=1", {}, "configmaps is forbidden", 'watch resource "configmaps" in API group ""'],
  ["GET", "pods", "a", {}, 'pods "a" is forbidden', 'get resource "pods" in API group ""'],
  ["GET", "pods", "a/proxy/x", {}, 'pods "a" is forbidden', 'get resource "pods/proxy" in API group ""'],
  [
    "POST",
    "services",
    "a/proxy/x",
    {},
    'services "a" is forbidden',
    'create resource "services/proxy" in API group ""',
  ],
  ["GET", "secrets", "", {}, "secrets is forbidden", 'list resource "secrets" in API group ""'],
  ["GET", "secrets", "yours", {}, 'secrets "yours" is forbidden', 'get resource "secrets" in API group ""'],
  [
    "PATCH",
    "statefulsets",
    "a/scale",
    mergePatch,
    'statefulsets.apps "a" is forbidden',
    'patch resource "statefulsets/scale" in API group "apps"',
  ],
];

export function describePermissions(target: () => Target): void {
  const subjectsOf = (ns: TestNamespace): [string, object, Record<string, string>][] => [
    ["jo", { kind: "User", name: "jo", apiGroup: "rbac.authorization.k8s.io" }, { "impersonate-user": "jo" }],
    [
      "someone",
      { kind: "Group", name: "testers", apiGroup: "rbac.authorization.k8s.io" },
      { "impersonate-user": "someone", "impersonate-group": "testers" },
    ],
    [
      `system:serviceaccount:${ns.name}:robot`,
      { kind: "ServiceAccount", name: "robot", namespace: ns.name },
      { "impersonate-user": `system:serviceaccount:${ns.name}:robot` },
    ],
  ];

  async function grant(ns: TestNamespace, subject: object): Promise<void> {
    const { call } = target();
    await call("POST", ns.path("roles"), { body: { metadata: { name: "tester" }, rules: RULES } });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "tester" };
    const body = { metadata: { name: "testers" }, roleRef, subjects: [subject] };
    expect((await call("POST", ns.path("rolebindings"), { body })).code).toBe(201);
  }

  function attempt(ns: TestNamespace, headers: object, [method, resource, name, options]: Attempt): Promise<Answer> {
    const path = name.startsWith("?") ? `${ns.path(resource)}${name}` : ns.path(resource, name || undefined);
    return target().call(method, path, { ...options, headers: { ...headers } });
  }

  describe("permissions", () => {
    test.each(["User", "Group", "ServiceAccount"])("a %s may do what a Role in the namespace says", async (kind) => {
      await using ns = await target().createNamespace();
      const [user, subject, headers] =
        subjectsOf(ns).find(([, is]) => Object.values(is).includes(kind)) ?? expect.unreachable();
      const list = async (): Promise<Answer> => attempt(ns, headers, ["GET", "configmaps", ""]);
      expectStatus(await list(), 403, {
        reason: "Forbidden",
        message: `configmaps is forbidden: User "${user}" cannot list resource "configmaps" in API group "" in the namespace "${ns.name}"`,
        details: { kind: "configmaps" },
      });
      await grant(ns, subject);
      await expect.poll(async () => (await list()).code, SOON).toBe(200);
      await target().call("DELETE", ns.path("rolebindings", "testers"));
      await expect.poll(async () => (await list()).code, SOON).toBe(403);
    });

    test("each verb, part, name and group on its own", async () => {
      await using ns = await target().createNamespace();
      const [[user, subject, headers]] = subjectsOf(ns) as [[string, object, Record<string, string>]];
      await grant(ns, subject);
      await expect.poll(async () => (await attempt(ns, headers, ["GET", "configmaps", ""])).code, SOON).toBe(200);
      for (const [method, resource, name, options, code] of ALLOWED) {
        const answer = await attempt(ns, headers, [method, resource, name, options]);
        expect([method, resource, name, answer.code]).toEqual([method, resource, name, code]);
      }
      for (const [method, resource, name, options, start, what] of REFUSED) {
        expectStatus(await attempt(ns, headers, [method, resource, name, options]), 403, {
          reason: "Forbidden",
          message: `${start}: User "${user}" cannot ${what} in the namespace "${ns.name}"`,
        });
      }
    });

    test("nothing outside of the namespace", async () => {
      await using ns = await target().createNamespace();
      await using other = await target().createNamespace();
      const [[user, subject, headers]] = subjectsOf(ns) as [[string, object, Record<string, string>]];
      await grant(ns, subject);
      await expect.poll(async () => (await attempt(ns, headers, ["GET", "configmaps", ""])).code, SOON).toBe(200);
      expectStatus(await attempt(other, headers, ["GET", "configmaps", ""]), 403, { reason: "Forbidden" });
      expectStatus(await target().call("GET", "/api/v1/configmaps", { headers }), 403, {
        message: `configmaps is forbidden: User "${user}" cannot list resource "configmaps" in API group "" at the cluster scope`,
      });
      expectStatus(await target().call("GET", `/api/v1/namespaces/${ns.name}`, { headers }), 403, {
        message: `namespaces "${ns.name}" is forbidden: User "${user}" cannot get resource "namespaces" in API group "" in the namespace "${ns.name}"`,
      });
      expectStatus(await target().call("DELETE", `/api/v1/namespaces/${ns.name}`, { headers }), 403, {
        reason: "Forbidden",
      });
    });

    test("a binding to a Role that is not says so", async () => {
      await using ns = await target().createNamespace();
      const [[user, subject, headers]] = subjectsOf(ns) as [[string, object, Record<string, string>]];
      await grant(ns, subject);
      await target().call("DELETE", ns.path("roles", "tester"));
      const list = async (): Promise<string> => (await attempt(ns, headers, ["GET", "configmaps", ""])).json.message;
      const refusal = `configmaps is forbidden: User "${user}" cannot list resource "configmaps" in API group "" in the namespace "${ns.name}"`;
      await expect.poll(list, SOON).toBe(`${refusal}: RBAC: role.rbac.authorization.k8s.io "tester" not found`);
    });
  });
}
