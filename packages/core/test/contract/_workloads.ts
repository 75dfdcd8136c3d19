import type { V1Pod, V1StatefulSet } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { readPodLogEnd } from "../../src/kubernetes/index.ts";
import { expectStatus, SOON, type Target, type TestNamespace } from "./_target.ts";

/** Says what it is asked, and ends with the code that a request names. */
const PROGRAM = `
const { createServer } = require("node:http");
console.log("started");
console.log("second line");
createServer((request, response) => {
  console.log("asked for " + request.url);
  if (request.url === "/exit") process.exit(3);
  const { method, url, headers } = request;
  let body = "";
  request.on("data", (chunk) => { body += chunk; });
  request.on("end", () => response.writeHead(201, { "x-answer": "yes", location: "/made" }).end(JSON.stringify({ method, url, headers, body })));
}).listen(process.env.PORT_8080 ?? 8080, process.env.POD_IP);
process.on("SIGTERM", () => process.exit(0));
`;

function buildSet(image: string, more: object = {}): object {
  const container = {
    name: "main",
    image,
    imagePullPolicy: "Never",
    command: ["node", "-e", PROGRAM],
    env: [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
    ports: [{ name: "http", containerPort: 8080 }],
    readinessProbe: { httpGet: { path: "/ready", port: "http" }, periodSeconds: 1 },
  };
  return {
    metadata: { name: "web" },
    spec: {
      serviceName: "web",
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { terminationGracePeriodSeconds: 2, containers: [container] },
      },
      ...more,
    },
  };
}

const service = {
  metadata: { name: "web" },
  spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] },
};

const isReady = ({ status }: V1Pod): boolean =>
  (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True");

export function describeWorkloads(target: () => Target): void {
  const readPod = async (ns: TestNamespace): Promise<V1Pod | undefined> => {
    const { code, json } = await target().call("GET", ns.path("pods", "web-0"));
    return code === 200 ? json : undefined;
  };

  async function startWeb(ns: TestNamespace): Promise<V1Pod> {
    const { call, image } = target();
    expect((await call("POST", ns.path("statefulsets"), { body: buildSet(image) })).code).toBe(201);
    expect((await call("POST", ns.path("services"), { body: service })).code).toBe(201);
    return untilReady(ns);
  }

  async function untilReady(ns: TestNamespace, notUid?: string): Promise<V1Pod> {
    const ready = async (): Promise<boolean> => {
      const pod = await readPod(ns);
      return pod !== undefined && isReady(pod) && pod.metadata?.uid !== notUid;
    };
    await expect.poll(ready, SOON).toBe(true);
    const pod = await readPod(ns);
    if (pod === undefined) throw new Error("the Pod has gone again");
    return pod;
  }

  const eventsOf = async (ns: TestNamespace, reason: string): Promise<string[]> => {
    const { json } = await target().call("GET", `${ns.path("events")}?fieldSelector=reason=${reason}`);
    return json.items.map(({ message }: { message: string }) => message);
  };

  describe("workloads", () => {
    test("StatefulSet → Pod → endpoint → proxy and log", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const pod = await startWeb(ns);
      const set: V1StatefulSet = (await call("GET", ns.path("statefulsets", "web"))).json;
      expect(pod.metadata).toMatchObject({
        labels: {
          app: "web",
          "apps.kubernetes.io/pod-index": "0",
          "statefulset.kubernetes.io/pod-name": "web-0",
          "controller-revision-hash": expect.stringMatching(/^web-[a-z0-9]{1,10}$/),
        },
        ownerReferences: [
          {
            apiVersion: "apps/v1",
            kind: "StatefulSet",
            name: "web",
            uid: set.metadata?.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      });
      expect(pod.spec).toMatchObject({ hostname: "web-0", subdomain: "web", nodeName: expect.any(String) });
      expect(pod.status).toMatchObject({
        phase: "Running",
        podIP: expect.any(String),
        containerStatuses: [{ name: "main", ready: true, started: true, restartCount: 0 }],
      });
      await expect
        .poll(async () => (await call("GET", ns.path("statefulsets", "web"))).json.status, SOON)
        .toMatchObject({
          observedGeneration: 1,
          replicas: 1,
          readyReplicas: 1,
          availableReplicas: 1,
          updatedReplicas: 1,
        });
      expect(await eventsOf(ns, "SuccessfulCreate")).toEqual([
        expect.stringMatching(/^Create Pod web-0 in StatefulSet web successful$/),
      ]);

      const slices = async (): Promise<unknown> =>
        (await call("GET", `${ns.path("endpointslices")}?labelSelector=kubernetes.io/service-name=web`)).json.items;
      await expect.poll(slices, SOON).toMatchObject([
        {
          addressType: "IPv4",
          metadata: { ownerReferences: [{ kind: "Service", name: "web" }] },
          endpoints: [
            {
              addresses: [pod.status?.podIP],
              conditions: { ready: true, serving: true, terminating: false },
              targetRef: { kind: "Pod", name: "web-0", uid: pod.metadata?.uid },
            },
          ],
          ports: [{ name: "", protocol: "TCP", port: expect.any(Number) }],
        },
      ]);

      const root = ns.path("services", "web");
      const answer = await call("POST", `${root}:80/proxy/a%2Fb/c?d=e&d=f`, {
        body: "text",
        contentType: "text/plain",
      });
      expect(answer.code).toBe(201);
      expect(answer.headers["x-answer"]).toBe("yes");
      expect(answer.headers["location"]).toBe(`${root}:80/proxy/made`);
      expect(answer.json).toMatchObject({ method: "POST", url: "/a/b/c?d=e&d=f", body: "text" });
      expect(answer.json.headers).not.toHaveProperty("authorization");
      expect(answer.json.headers["x-forwarded-for"]).toBeDefined();
      expect((await call("GET", `${root}/proxy/x`)).json).toMatchObject({ method: "GET", url: "/x" });
      expect((await call("GET", `${ns.path("services", "http:web:80")}/proxy/y`)).json.url).toBe("/y");
      expect((await call("DELETE", `${ns.path("pods", "web-0")}/proxy/z`)).json).toMatchObject({
        method: "DELETE",
        url: "/z",
      });
      expect((await call("GET", `${ns.path("pods", "web-0:8080")}/proxy/z`)).json.url).toBe("/z");
      const bare = await call("GET", `${root}/proxy?q=1`);
      expect(bare.code).toBe(301);
      expect(bare.headers["location"]).toMatch(/\/proxy\/\?q=1$/);
      const refused = await call("GET", `${ns.path("pods", "web-0:9")}/proxy/`);
      expectStatus(refused, 503, {
        reason: "ServiceUnavailable",
        message: `error trying to reach service: dial tcp ${pod.status?.podIP}:9: connect: connection refused`,
      });

      const log = `${ns.path("pods", "web-0")}/log`;
      const whole = await call("GET", log);
      expect(whole.headers["content-type"]).toBe("text/plain");
      expect(whole.text).toMatch(/^started\nsecond line\n/);
      const last = await call("GET", `${log}?container=main&tailLines=1`);
      expect(last.text).toMatch(/^asked for .*\n$/);
      expect((await call("GET", `${log}?limitBytes=7`)).text).toBe("started");
      expectStatus(await call("GET", `${log}?container=none`), 400, {
        message: "container none is not valid for pod web-0",
      });
      expectStatus(await call("GET", `${log}?previous=true`), 400, {
        message: 'previous terminated container "main" in pod "web-0" not found',
      });
      expectStatus(await call("GET", `${ns.path("pods", "none")}/log`), 404, { reason: "NotFound" });
    });

    test("of a long log the end is read, without holding the rest", async () => {
      await using ns = await target().createNamespace();
      const { call, cluster } = target();
      await startWeb(ns);
      for (let count = 0; count < 40; count += 1) {
        await call("GET", `${ns.path("pods", "web-0")}/proxy/${count}${"x".repeat(7_000)}`);
      }
      const main = { namespace: ns.name, pod: "web-0", container: "main", previous: false };
      const wholeLog = async () => (await call("GET", `${ns.path("pods", "web-0")}/log`)).text;
      await expect.poll(async () => (await wholeLog()).length, SOON).toBeGreaterThan(280_000);
      const end = (await readPodLogEnd(cluster, { ...main, bytes: 100_000 })).toString();
      // Probes and late lines may have come meanwhile.
      expect(await wholeLog()).toContain(end);
      expect(end).toHaveLength(100_000);
      expect(end).toContain("asked for /39xxx");
      expect((await readPodLogEnd(cluster, { ...main, bytes: 10_000_000 })).toString()).toMatch(/^started\n/);
      await expect(readPodLogEnd(cluster, { ...main, container: "none", bytes: 1 })).rejects.toThrow(/answered 400/);
    });

    test("a container that ends is started again, with its log kept", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const pod = await startWeb(ns);
      await call("GET", `${ns.path("pods", "web-0")}/proxy/exit`);
      const status = async (): Promise<unknown> => (await readPod(ns))?.status?.containerStatuses?.[0];
      await expect.poll(status, SOON).toMatchObject({
        restartCount: 1,
        ready: true,
        lastState: { terminated: { exitCode: 3, reason: "Error" } },
      });
      expect((await readPod(ns))?.metadata?.uid).toBe(pod.metadata?.uid);
      const previous = await call("GET", `${ns.path("pods", "web-0")}/log?previous=true`);
      expect(previous.text).toContain("asked for /exit");
    });

    test("a deleted Pod is marked, ends in its grace, and comes again; scaled to none, it does not", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const first = await startWeb(ns);
      const marked = await call("DELETE", ns.path("pods", "web-0"));
      expect(marked.json).toMatchObject({
        kind: "Pod",
        metadata: { deletionTimestamp: expect.any(String), deletionGracePeriodSeconds: 2 },
      });
      const second = await untilReady(ns, first.metadata?.uid);
      expect(second.metadata?.name).toBe("web-0");
      const scale = await call("PATCH", `${ns.path("statefulsets", "web")}/scale`, {
        body: { spec: { replicas: 0 } },
        contentType: "application/merge-patch+json",
      });
      expect(scale.json).toMatchObject({ kind: "Scale", apiVersion: "autoscaling/v1", metadata: { name: "web" } });
      await expect.poll(() => readPod(ns), SOON).toBeUndefined();
      const gone = async () => call("GET", `${ns.path("services", "web")}/proxy/`);
      await expect.poll(async () => (await gone()).code, SOON).toBe(503);
      expectStatus(await gone(), 503, {
        reason: "ServiceUnavailable",
        message: 'no endpoints available for service "web"',
      });
    });

    test("a changed template replaces the Pod; a deleted set takes it along", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const first = await startWeb(ns);
      const body = { spec: { template: { metadata: { labels: { app: "web", changed: "yes" } } } } };
      const contentType = "application/merge-patch+json";
      expect((await call("PATCH", ns.path("statefulsets", "web"), { body, contentType })).code).toBe(200);
      const second = await untilReady(ns, first.metadata?.uid);
      const revision = ({ metadata }: V1Pod) => metadata?.labels?.["controller-revision-hash"];
      expect(revision(second)).not.toBe(revision(first));
      const options = { body: { propagationPolicy: "Foreground" } };
      await call("DELETE", ns.path("statefulsets", "web"), options);
      const codes = async () => [
        (await call("GET", ns.path("statefulsets", "web"))).code,
        (await call("GET", ns.path("pods", "web-0"))).code,
      ];
      await expect.poll(codes, SOON).toEqual([404, 404]);
    });

    test("a name of 54 letters never gets a Pod, and an Event says why", async () => {
      await using ns = await target().createNamespace();
      const { call, image } = target();
      // With 53 letters it depends on the length of a hash.
      const name = "a".repeat(54);
      const set = { ...buildSet(image), metadata: { name } };
      expect((await call("POST", ns.path("statefulsets"), { body: set })).code).toBe(201);
      await expect.poll(() => eventsOf(ns, "FailedCreate"), SOON).not.toHaveLength(0);
      const [message] = await eventsOf(ns, "FailedCreate");
      expect(message).toContain(
        `Create Pod ${name}-0 in StatefulSet ${name} failed error: Pod "${name}-0" is invalid: metadata.labels`,
      );
      expect((await call("GET", ns.path("pods"))).json.items).toEqual([]);
    });

    test("a proxy to what is not there", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      await call("POST", ns.path("services"), { body: service });
      const proxy = (id: string) => call("GET", `${ns.path("services", id)}/proxy/`);
      expectStatus(await proxy("none"), 404, { reason: "NotFound", message: 'services "none" not found' });
      expectStatus(await proxy("web:99"), 503, { message: 'no service port 99 found for service "web"' });
      expectStatus(await proxy("ftp:web:80"), 400, { message: 'invalid service request "ftp:web:80"' });
      expectStatus(await proxy("a:b:c:d"), 400, { message: 'invalid service request "a:b:c:d"' });
      expectStatus(await call("GET", `${ns.path("pods", "none")}/proxy/`), 404, { reason: "NotFound" });
    });
  });
}
