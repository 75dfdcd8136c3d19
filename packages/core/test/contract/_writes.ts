import { describe, expect, test } from "vitest";
import { expectStatus, type Target } from "./_target.ts";

export function describeWrites(target: () => Target): void {
  describe("create, read, replace", () => {
    test("an object gets identity, birth and version; a second of its name is a conflict", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const body = { metadata: { name: "a", labels: { x: "y" } }, data: { k: "v" } };
      const created = await call("POST", ns.path("configmaps"), { body });
      expect(created.code).toBe(201);
      expect(created.json).toMatchObject({
        kind: "ConfigMap",
        apiVersion: "v1",
        metadata: {
          name: "a",
          namespace: ns.name,
          uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
          resourceVersion: expect.stringMatching(/^\d+$/),
          creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          labels: { x: "y" },
        },
        data: { k: "v" },
      });
      const again = await call("POST", ns.path("configmaps"), { body });
      expectStatus(again, 409, {
        reason: "AlreadyExists",
        message: 'configmaps "a" already exists',
        details: { name: "a", kind: "configmaps" },
      });
      const read = await call("GET", ns.path("configmaps", "a"));
      expect(read.json).toEqual(created.json);
    });

    test("names are generated", async () => {
      await using ns = await target().createNamespace();
      const body = { metadata: { generateName: "made-" } };
      const { json } = await target().call("POST", ns.path("configmaps"), { body });
      expect(json.metadata.name).toMatch(/^made-[a-z0-9]{5}$/);
    });

    test("a replace needs the newest version, or none", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const created = (await call("POST", ns.path("configmaps"), { body: { metadata: { name: "a" } } })).json;
      const path = ns.path("configmaps", "a");
      const first = await call("PUT", path, { body: { ...created, data: { k: "1" } } });
      expect(first.code).toBe(200);
      expect(Number(first.json.metadata.resourceVersion)).toBeGreaterThan(Number(created.metadata.resourceVersion));
      const stale = await call("PUT", path, { body: { ...created, data: { k: "2" } } });
      expectStatus(stale, 409, {
        reason: "Conflict",
        message:
          'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
        details: { name: "a", kind: "configmaps" },
      });
      const blind = await call("PUT", path, { body: { metadata: { name: "a" }, data: { k: "3" } } });
      expect(blind.json).toMatchObject({ metadata: { uid: created.metadata.uid }, data: { k: "3" } });
      const stranger = await call("PUT", path, { body: { metadata: { name: "a", uid: "other" } } });
      expectStatus(stranger, 409, { reason: "Conflict" });
      const other = await call("PUT", path, { body: { metadata: { name: "b" } } });
      expectStatus(other, 400, {
        message: "the name of the object (b) does not match the name on the URL (a)",
        reason: "BadRequest",
      });
      const missing = await call("PUT", ns.path("configmaps", "none"), { body: { metadata: { name: "none" } } });
      expectStatus(missing, 404, { reason: "NotFound", message: 'configmaps "none" not found' });
    });

    test("a replace that changes nothing makes no new version", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const created = await call("POST", ns.path("configmaps"), {
        body: { metadata: { name: "a" }, data: { k: "v" } },
      });
      const same = await call("PUT", ns.path("configmaps", "a"), { body: created.json });
      expect(same.json.metadata.resourceVersion).toBe(created.json.metadata.resourceVersion);
    });

    test("a dry run goes all the way but for the writing", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const body = { metadata: { name: "a" }, data: { k: "v" } };
      const dry = await call("POST", `${ns.path("configmaps")}?dryRun=All`, { body });
      expect(dry.code).toBe(201);
      expect(dry.json.metadata.uid).toBeDefined();
      expect(dry.json.metadata.resourceVersion).toBeUndefined();
      expect((await call("GET", ns.path("configmaps", "a"))).code).toBe(404);
      await ns.createConfigMap("a", { data: { k: "v" } });
      const path = `${ns.path("configmaps", "a")}?dryRun=All`;
      const mergePatch = "application/merge-patch+json";
      const patched = await call("PATCH", path, { body: { data: { k: "w" } }, contentType: mergePatch });
      expect(patched.json.data).toEqual({ k: "w" });
      expect((await call("PUT", path, { body: { ...body, data: { k: "x" } } })).json.data).toEqual({ k: "x" });
      expect((await call("DELETE", path)).code).toBe(200);
      expect((await call("GET", ns.path("configmaps", "a"))).json.data).toEqual({ k: "v" });
      const bad = await call("POST", `${ns.path("configmaps")}?dryRun=All`, { body: { metadata: { name: "B_" } } });
      expectStatus(bad, 422, { reason: "Invalid" });
      const half = await call("POST", `${ns.path("configmaps")}?dryRun=Some`, { body });
      expectStatus(half, 422, { reason: "Invalid", details: { kind: "CreateOptions" } });
    });

    test("the status is a part of its own, and the generation counts changes of the spec", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const path = ns.path("ingresses", "i");
      // Of a class that nobody serves, so that nobody else writes its status.
      const ingressClassName = "none";
      const spec = { ingressClassName, defaultBackend: { service: { name: "s", port: { number: 80 } } } };
      const status = { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } };
      const body = { metadata: { name: "i" }, spec, status };
      const created = (await call("POST", ns.path("ingresses"), { body })).json;
      expect(created).toMatchObject({ metadata: { generation: 1 }, status: { loadBalancer: {} } });
      expect(created.status.loadBalancer.ingress).toBeUndefined();
      const told = (await call("PUT", `${path}/status`, { body: { ...created, spec: {}, status } })).json;
      expect(told).toMatchObject({ metadata: { generation: 1 }, spec, status });
      const other = { ingressClassName, defaultBackend: { service: { name: "t", port: { number: 80 } } } };
      const changed = (await call("PUT", path, { body: { metadata: { name: "i" }, spec: other } })).json;
      expect(changed).toMatchObject({ metadata: { generation: 2 }, spec: other, status });
    });

    test("write-only text of a Secret becomes data; a Service gets an address and keeps it", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const secret = { metadata: { name: "s" }, stringData: { a: "text" } };
      const stored = (await call("POST", ns.path("secrets"), { body: secret })).json;
      expect(stored).toMatchObject({ type: "Opaque", data: { a: "dGV4dA==" } });
      expect(stored.stringData).toBeUndefined();
      const body = { metadata: { name: "s" }, spec: { selector: { a: "b" }, ports: [{ port: 80 }] } };
      const service = (await call("POST", ns.path("services"), { body })).json;
      expect(service.spec).toMatchObject({
        type: "ClusterIP",
        clusterIP: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
        ports: [{ port: 80, targetPort: 80, protocol: "TCP" }],
        sessionAffinity: "None",
      });
      const replaced = (await call("PUT", ns.path("services", "s"), { body })).json;
      expect(replaced.spec.clusterIP).toBe(service.spec.clusterIP);
    });

    test("what a workload leaves out is filled in", async () => {
      await using ns = await target().createNamespace();
      const container = { name: "c", image: "none", ports: [{ containerPort: 80 }] };
      const probe = { httpGet: { port: 80 } };
      const template = {
        metadata: { labels: { app: "w" } },
        spec: { containers: [{ ...container, readinessProbe: probe }] },
      };
      const spec = { replicas: 0, selector: { matchLabels: { app: "w" } }, template };
      const body = { metadata: { name: "w" }, spec };
      const { json } = await target().call("POST", ns.path("statefulsets"), { body });
      expect(json.spec).toMatchObject({
        podManagementPolicy: "OrderedReady",
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
        revisionHistoryLimit: 10,
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
      });
      expect(json.spec.template.spec).toMatchObject({
        restartPolicy: "Always",
        dnsPolicy: "ClusterFirst",
        terminationGracePeriodSeconds: 30,
        schedulerName: "default-scheduler",
      });
      expect(json.spec.template.spec.containers[0]).toMatchObject({
        ports: [{ containerPort: 80, protocol: "TCP" }],
        imagePullPolicy: "Always",
        terminationMessagePath: "/dev/termination-log",
        terminationMessagePolicy: "File",
        readinessProbe: {
          httpGet: { path: "/", port: 80, scheme: "HTTP" },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
      });
    });
  });
}
