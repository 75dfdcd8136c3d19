import { describe, expect, test } from "vitest";
import { expectStatus, type Target } from "./_target.ts";

const container = { name: "c", image: "i" };
const backend = { service: { name: "s", port: { number: 80 } } };

const buildSet = (spec: object): object => ({
  replicas: 0,
  selector: { matchLabels: { app: "w" } },
  template: { metadata: { labels: { app: "w" } }, spec: { containers: [container] } },
  ...spec,
});

const buildIngress = (...paths: object[]): object => ({ spec: { rules: [{ http: { paths } }] } });

/** What is refused: resource, object without its name, and the fields that the Status names, with their reasons. */
const INVALID: [string, string, object, Record<string, string>][] = [
  ["a Pod without containers", "pods", { spec: {} }, { "spec.containers": "FieldValueRequired" }],
  [
    "containers of a name, without an image, and with bad ports",
    "pods",
    {
      spec: {
        containers: [
          { ...container, ports: [{ containerPort: 70_000, protocol: "X" }] },
          { name: "c", env: [{ name: "" }] },
          { ...container, name: "C" },
        ],
      },
    },
    {
      "spec.containers[0].ports[0].containerPort": "FieldValueInvalid",
      "spec.containers[0].ports[0].protocol": "FieldValueNotSupported",
      "spec.containers[1].name": "FieldValueDuplicate",
      "spec.containers[1].image": "FieldValueRequired",
      "spec.containers[1].env[0].name": "FieldValueRequired",
      "spec.containers[2].name": "FieldValueInvalid",
    },
  ],
  [
    "a mount of no volume, a probe of nothing, an unknown policy",
    "pods",
    {
      spec: {
        restartPolicy: "Perhaps",
        containers: [{ ...container, volumeMounts: [{ name: "v", mountPath: "/v" }], livenessProbe: {} }],
      },
    },
    {
      "spec.containers[0].volumeMounts[0].name": "FieldValueNotFound",
      "spec.containers[0].livenessProbe": "FieldValueRequired",
      "spec.restartPolicy": "FieldValueNotSupported",
    },
  ],
  [
    "a selector that does not match the template",
    "statefulsets",
    { spec: buildSet({ selector: { matchLabels: { app: "x" } } }) },
    { "spec.template.metadata.labels": "FieldValueInvalid" },
  ],
  [
    "a StatefulSet of nothing",
    "statefulsets",
    { spec: { replicas: -1 } },
    {
      "spec.replicas": "FieldValueInvalid",
      "spec.selector": "FieldValueRequired",
      "spec.template.metadata.labels": "FieldValueInvalid",
      "spec.template.spec.containers": "FieldValueRequired",
    },
  ],
  ["a Service without ports", "services", { spec: {} }, { "spec.ports": "FieldValueRequired" }],
  [
    "several ports without names",
    "services",
    { spec: { ports: [{ port: 80 }, { port: 81, name: "A" }] } },
    { "spec.ports[0].name": "FieldValueRequired", "spec.ports[1].name": "FieldValueInvalid" },
  ],
  ["an Ingress of nothing", "ingresses", { spec: {} }, { spec: "FieldValueInvalid" }],
  [
    "paths that are none",
    "ingresses",
    buildIngress(
      { path: "x", pathType: "Prefix", backend },
      { path: "/a//b", pathType: "Exact", backend },
      { path: "/a", backend },
      { path: "/a/..", pathType: "Prefix", backend },
      { path: "/%2f", pathType: "Prefix", backend: { service: { name: "s", port: {} } } },
    ),
    {
      "spec.rules[0].http.paths[0].path": "FieldValueInvalid",
      "spec.rules[0].http.paths[1].path": "FieldValueInvalid",
      "spec.rules[0].http.paths[2].pathType": "FieldValueRequired",
      "spec.rules[0].http.paths[3].path": "FieldValueInvalid",
      "spec.rules[0].http.paths[4].path": "FieldValueInvalid",
      "spec.rules[0].http.paths[4].backend": "FieldValueRequired",
    },
  ],
  ["no paths at all", "ingresses", buildIngress(), { "spec.rules[0].http.paths": "FieldValueRequired" }],
  [
    "half a TLS Secret",
    "secrets",
    { type: "kubernetes.io/tls", data: { "tls.crt": "YQ==" } },
    { "data[tls.key]": "FieldValueRequired" },
  ],
  ["a key that is none", "configmaps", { data: { "a b": "c" } }, { "data[a b]": "FieldValueInvalid" }],
  [
    "an empty rule and no role",
    "roles",
    { rules: [{}] },
    {
      "rules[0].verbs": "FieldValueRequired",
      "rules[0].apiGroups": "FieldValueRequired",
      "rules[0].resources": "FieldValueRequired",
    },
  ],
  [
    "a binding to nothing",
    "rolebindings",
    {},
    { "roleRef.kind": "FieldValueNotSupported", "roleRef.name": "FieldValueRequired" },
  ],
  ["a slice of no kind of address", "endpointslices", {}, { addressType: "FieldValueRequired" }],
  [
    "a lease of no time",
    "leases",
    { spec: { leaseDurationSeconds: 0 } },
    { "spec.leaseDurationSeconds": "FieldValueInvalid" },
  ],
];

/** Changes that are refused: resource, object, merge patch, and the fields that the Status names. */
const IMMUTABLE: [string, string, { object: object; patch: object }, Record<string, string>][] = [
  [
    "a StatefulSet's selector",
    "statefulsets",
    { object: { spec: buildSet({}) }, patch: { spec: { selector: { matchLabels: { app: "x" } } } } },
    { spec: "FieldValueForbidden", "spec.template.metadata.labels": "FieldValueInvalid" },
  ],
  [
    "a StatefulSet's service",
    "statefulsets",
    { object: { spec: buildSet({}) }, patch: { spec: { serviceName: "x" } } },
    { spec: "FieldValueForbidden" },
  ],
  [
    "a Service's address",
    "services",
    { object: { spec: { ports: [{ port: 80 }] } }, patch: { spec: { clusterIP: "None" } } },
    { "spec.clusterIPs[0]": "FieldValueInvalid" },
  ],
  ["a Secret's type", "secrets", { object: {}, patch: { type: "x" } }, { type: "FieldValueInvalid" }],
  [
    "an immutable ConfigMap",
    "configmaps",
    { object: { immutable: true }, patch: { data: { a: "b" } } },
    { data: "FieldValueForbidden" },
  ],
  [
    "an immutable Secret's immutability",
    "secrets",
    { object: { immutable: true }, patch: { immutable: false } },
    { immutable: "FieldValueForbidden" },
  ],
];

export function describeRefusals(target: () => Target): void {
  describe("refusals", () => {
    test.each(INVALID)("%s", async (_, resource, object, fields) => {
      await using ns = await target().createNamespace();
      const answer = await target().call("POST", ns.path(resource), { body: { metadata: { name: "x" }, ...object } });
      expectStatus(answer, 422, { reason: "Invalid", details: { name: "x" } });
      expect(reasonsOf(answer.json)).toEqual(fields);
    });

    test.each(IMMUTABLE)("%s does not change", async (_, resource, { object, patch: body }, fields) => {
      await using ns = await target().createNamespace();
      const { call } = target();
      expect((await call("POST", ns.path(resource), { body: { metadata: { name: "x" }, ...object } })).code).toBe(201);
      const contentType = "application/merge-patch+json";
      const answer = await call("PATCH", ns.path(resource, "x"), { body, contentType });
      expectStatus(answer, 422, { reason: "Invalid" });
      expect(reasonsOf(answer.json)).toEqual(fields);
    });

    test("a Pod's spec does not change, but for its images", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      // For no scheduler that there is, so that it stays as it is.
      const spec = { schedulerName: "none", automountServiceAccountToken: false, containers: [container] };
      const create = () => call("POST", ns.path("pods"), { body: { metadata: { name: "p" }, spec } });
      await expect.poll(async () => (await create()).code, { timeout: 20_000 }).toBe(201);
      const contentType = "application/json-patch+json";
      const image = [{ op: "replace", path: "/spec/containers/0/image", value: "j" }];
      expect((await call("PATCH", ns.path("pods", "p"), { body: image, contentType })).code).toBe(200);
      const command = [{ op: "add", path: "/spec/containers/0/command", value: ["x"] }];
      const refused = await call("PATCH", ns.path("pods", "p"), { body: command, contentType });
      expectStatus(refused, 422, { message: expect.stringContaining("spec: Forbidden: pod updates may not change") });
    });

    test.each([
      ["Upper", "must consist of lower case"],
      ["a_b", "must consist of lower case"],
      ["-a", "must start and end with an alphanumeric"],
      ["a".repeat(254), "must be no more than 253 characters"],
      ["", "name or generateName is required"],
    ])("the name '%s'", async (name, why) => {
      await using ns = await target().createNamespace();
      const answer = await target().call("POST", ns.path("configmaps"), { body: { metadata: { name } } });
      expectStatus(answer, 422, { message: expect.stringContaining(why) });
      expect(answer.json.message).toMatch(new RegExp(`^ConfigMap "${name}" is invalid: .*metadata.name`));
      expect(answer.json.details.causes[0].field).toBe("metadata.name");
    });

    test("names of a namespace with dots, of a Service with an underscore, of a StatefulSet of 64 letters", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const dotted = await call("POST", "/api/v1/namespaces", { body: { metadata: { name: "a.b" } } });
      expectStatus(dotted, 422, { details: { kind: "Namespace", causes: [{ field: "metadata.name" }] } });
      const service = { metadata: { name: "a_b" }, spec: { ports: [{ port: 80 }] } };
      const badService = await call("POST", ns.path("services"), { body: service });
      expectStatus(badService, 422, { details: { kind: "Service", causes: [{ field: "metadata.name" }] } });
      const set = { metadata: { name: "a".repeat(64) }, spec: buildSet({}) };
      const badSet = await call("POST", ns.path("statefulsets"), { body: set });
      expectStatus(badSet, 422, {
        details: { kind: "StatefulSet", group: "apps", causes: [{ field: "metadata.name" }] },
      });
    });

    test("labels, annotations, finalizers and owners that are none", async () => {
      await using ns = await target().createNamespace();
      const metadata = {
        name: "x",
        labels: { "a b": "c", d: "e f" },
        annotations: { "/": "x" },
        finalizers: ["plain"],
        ownerReferences: [{ apiVersion: "", kind: "", name: "", uid: "" }],
      };
      const answer = await target().call("POST", ns.path("configmaps"), { body: { metadata } });
      expectStatus(answer, 422, { reason: "Invalid" });
      const fields = new Set<string>(answer.json.details.causes.map(({ field }: { field: string }) => field));
      expect([...fields].sort(byText)).toEqual([
        "metadata.annotations",
        "metadata.finalizers[0]",
        "metadata.labels",
        "metadata.ownerReferences.apiVersion",
        "metadata.ownerReferences.kind",
        "metadata.ownerReferences.name",
        "metadata.ownerReferences.uid",
      ]);
    });

    test("a namespace that is not, or another than that of the path", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const nowhere = await call("POST", "/api/v1/namespaces/none-such/configmaps", {
        body: { metadata: { name: "a" } },
      });
      expectStatus(nowhere, 404, {
        message: 'namespaces "none-such" not found',
        details: { name: "none-such", kind: "namespaces" },
      });
      const elsewhere = { metadata: { name: "a", namespace: "default" } };
      const other = await call("POST", ns.path("configmaps"), { body: elsewhere });
      expectStatus(other, 400, {
        message: "the namespace of the provided object does not match the namespace sent on the request",
      });
    });

    test("unknown and duplicate fields: refused, warned of or passed over, and never kept", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const body = '{"metadata":{"name":"a","name":"b"},"dataa":{"k":"v"}}';
      const strict = await call("POST", `${ns.path("configmaps")}?fieldValidation=Strict`, { body });
      expectStatus(strict, 400, { reason: "BadRequest" });
      expect(strict.json.message).toMatch(
        /^ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: /,
      );
      expect(strict.json.message).toContain('unknown field "dataa"');
      expect(strict.json.message).toContain('duplicate field "metadata.name"');
      const warned = await call("POST", `${ns.path("configmaps")}?fieldValidation=Warn`, { body });
      expect(warned.code).toBe(201);
      const warnings = [warned.headers["warning"]].flat().join(", ").split(", ");
      expect(warnings).toHaveLength(2);
      expect(warnings).toContain(String.raw`299 - "duplicate field \"metadata.name\""`);
      expect(warnings).toContain(String.raw`299 - "unknown field \"dataa\""`);
      expect(warned.json).not.toHaveProperty("dataa");
      const ignored = await call("POST", `${ns.path("configmaps")}?fieldValidation=Ignore&dryRun=All`, {
        body: body.replaceAll('"b"', '"c"'),
      });
      expect(ignored.code).toBe(201);
      expect(ignored.headers["warning"]).toBeUndefined();
      const nested = { spec: buildSet({}), metadata: { name: "w" } };
      const deep = JSON.stringify(nested).replace('"image":"i"', '"image":"i","imagee":"j"');
      const refused = await call("POST", `${ns.path("statefulsets")}?fieldValidation=Strict`, { body: deep });
      expect(refused.json.message).toContain('unknown field "spec.template.spec.containers[0].imagee"');
    });

    test("values of another type, bad base64, bad JSON, another kind, another media type", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const post = (resource: string, body: unknown) => call("POST", ns.path(resource), { body });
      const typed = await post("configmaps", { metadata: { name: "a" }, data: { k: 1 } });
      expectStatus(typed, 400, {
        message:
          'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
      });
      const listed = await post("services", { metadata: { name: "a" }, spec: { ports: {} } });
      expectStatus(listed, 400, {
        message:
          'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort',
      });
      const encoded = await post("secrets", { metadata: { name: "a" }, data: { k: "%%" } });
      expectStatus(encoded, 400, { message: expect.stringContaining("illegal base64 data at input byte 0") });
      const broken = await post("configmaps", '{"metadata":');
      expectStatus(broken, 400, { message: expect.stringContaining("couldn't get version/kind; json parse error") });
      const kind = await post("configmaps", { apiVersion: "v1", kind: "Secret", metadata: { name: "a" } });
      expectStatus(kind, 400, {
        message: expect.stringMatching(/^Secret in version "v1" cannot be handled as a ConfigMap: /),
      });
      const media = await call("POST", ns.path("configmaps"), { body: "a,b", contentType: "text/csv" });
      expectStatus(media, 415, { reason: "UnsupportedMediaType" });
      const large = { metadata: { name: "a" }, data: { k: "x".repeat(3 * 1024 * 1024) } };
      expectStatus(await post("configmaps", large), 413, { reason: "RequestEntityTooLarge" });
    });

    test("resources, subresources and methods that there are not", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      await ns.createConfigMap("a");
      const message = "the server could not find the requested resource";
      expectStatus(await call("GET", ns.path("nones")), 404, { reason: "NotFound", message });
      expectStatus(await call("GET", `${ns.path("configmaps", "a")}/status`), 404, { reason: "NotFound", message });
      expectStatus(await call("PUT", ns.path("configmaps")), 405, {
        reason: "MethodNotAllowed",
        message: "the server does not allow this method on the requested resource",
      });
    });
  });
}

function byText(one: string, other: string): number {
  return one < other ? -1 : 1;
}

function reasonsOf(status: { details: { causes: { field: string; reason: string }[] } }): Record<string, string> {
  return Object.fromEntries(status.details.causes.map(({ field, reason }) => [field, reason]));
}
