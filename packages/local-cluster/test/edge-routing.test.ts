import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { NAMESPACE } from "./_cluster.ts";
import { buildIngress, createService, type EdgeFixture, HOST, REWRITTEN, startEdgeFixture } from "./_edge.ts";
import { SPELLINGS } from "./_edge-spellings.ts";
import { eventually } from "./_eventually.ts";

let fixture: EdgeFixture;

beforeEach(async () => {
  fixture = await startEdgeFixture();
  return () => fixture[Symbol.asyncDispose]();
});

const serve: EdgeFixture["serve"] = (...ingress) => fixture.serve(...ingress);
const untilServed: EdgeFixture["untilServed"] = (target) => fixture.untilServed(target);

/** The target that the upstream saw for each of ours, or the edge's own status. */
async function ask(targets: string[]): Promise<Record<string, string | number>> {
  const answers: Record<string, string | number> = {};
  for (const target of targets) {
    const { status } = await fixture.get(target);
    answers[target] = status === 200 ? (fixture.backend.seen.pop()?.target ?? "") : status;
  }
  return answers;
}

test("no spelling of a path leads out of what the rewrite yields", async () => {
  await serve("run-1", ["/run-1/(.*)"], { annotations: REWRITTEN });
  await untilServed("/run-1/x");
  expect(await ask(Object.keys(SPELLINGS))).toEqual(SPELLINGS);
});

test("a rewrite that would make dot segments out of harmless ones is refused", async () => {
  await serve("loose", ["/loose(.*)"], { annotations: REWRITTEN });
  await untilServed("/loose/x");
  expect(await ask(["/loose../finalize", "/loose./x", "/loose%2e%2e/finalize", "/loosely"])).toEqual({
    "/loose../finalize": 400,
    "/loose./x": 400,
    "/loose%2e%2e/finalize": 400,
    "/loosely": "/envoy/ly",
  });
});

test("patterns on any Ingress of a host make all its paths patterns, the longest first", async () => {
  await serve("exact", ["/base"], { pathType: "Exact" });
  await serve("prefix", ["/run-1/sub"], { pathType: "Prefix" });
  await untilServed("/base");
  expect(await ask(["/BASE", "/base/x", "/run-1/subway"])).toEqual({
    "/BASE": 404,
    "/base/x": 404,
    "/run-1/subway": 404,
  });
  await serve("run-1", ["/run-1/(.*)"], { annotations: REWRITTEN });
  await serve("twice", ["/run-2/(a+)/(b*)", "/run-2/(a)"], { annotations: { "rewrite-target": "/$2/$1/$3" } });
  await untilServed("/run-1/");
  expect(await ask(["/BASE", "/basefoo", "/run-1/subway", "/run-1/x", "/run-2/aa/bb", "/run-2/a", "/x/base"])).toEqual({
    "/BASE": "/BASE",
    "/basefoo": "/basefoo",
    "/run-1/subway": "/envoy/subway",
    "/run-1/x": "/envoy/x",
    "/run-2/aa/bb": "/bb/aa/",
    "/run-2/a": "//a/",
    "/x/base": 404,
  });
});

test("without patterns, Exact and Prefix are Kubernetes' own", async () => {
  await serve("exact", ["/exact", "/slash/"], { pathType: "Exact" });
  await serve("prefix", ["/prefix", "/open/", "/prefix/deep"], { pathType: "Prefix" });
  await serve("any", ["/any"]);
  await untilServed("/any");
  const served = ["/exact", "/slash/", "/prefix", "/prefix/", "/prefix/a", "/open", "/open/a", "/any", "/anything"];
  const unserved = ["/exact/", "/Exact", "/slash", "/prefixed", "/PREFIX/a", "/opened", "/An", "/"];
  expect(await ask(served)).toEqual(Object.fromEntries(served.map((path) => [path, path])));
  expect(await ask(unserved)).toEqual(Object.fromEntries(unserved.map((path) => [path, 404])));
  expect(await ask(["/prefix/../any", "/any/%2e%2e/exact"])).toEqual({
    "/prefix/../any": "/any",
    "/any/%2e%2e/exact": "/exact",
  });
});

test("hosts are told apart by name, with wildcards and rules for every host last", async () => {
  await serve("named", ["/named"], { host: "a.example" });
  await serve("wild", ["/wild"], { host: "*.b.example" });
  const path = { path: "/every", pathType: "Prefix", backend: { service: { name: "runner", port: { name: "http" } } } };
  await fixture.cluster.create("ingresses", {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: "every", namespace: NAMESPACE },
    spec: { rules: [{ http: { paths: [path] } }] },
  });
  await untilServed("/every");
  const status = async (host: string, target: string) => (await fixture.get(target, { Host: host })).status;
  expect(await status("A.Example:8443", "/named")).toBe(200);
  expect(await status("a.example.", "/named")).toBe(200);
  expect(await status("a.example", "/every")).toBe(404);
  expect(await status("x.b.example", "/wild")).toBe(200);
  expect(await status("x.y.b.example", "/wild")).toBe(404);
  expect(await status("b.example", "/wild")).toBe(404);
  expect(await status("anything", "/every")).toBe(200);
  expect(await status("[::1]:443", "/every")).toBe(200);
});

test.each(["", "a b", "a/b", "a@b", "a:b", "[x]", "a,b"])("a Host of %j is refused", async (host) => {
  expect((await fixture.get("/", { Host: host })).status).toBe(400);
});

test("only Ingresses of its class or of none are served, and told where", async () => {
  await serve("ours", ["/ours"]);
  await serve("theirs", ["/theirs"], { ingressClassName: "other" });
  const { spec, ...unnamed } = buildIngress("unnamed", ["/unnamed"]) as { spec: { ingressClassName?: string } };
  delete spec.ingressClassName;
  await fixture.cluster.create("ingresses", { ...unnamed, spec });
  await untilServed("/unnamed");
  expect(await ask(["/ours", "/theirs"])).toEqual({ "/ours": "/ours", "/theirs": 404 });
  const get = (name: string) =>
    fixture.cluster.get<{ status?: object }>({ resource: "ingresses", namespace: NAMESPACE, name });
  const loadBalancer = { ingress: [{ ip: "127.0.0.1", ports: [{ port: fixture.edge.port, protocol: "TCP" }] }] };
  await eventually(async () => (await get("ours")).status).toEqual({ loadBalancer });
  await eventually(async () => (await get("unnamed")).status).toEqual({ loadBalancer });
  expect((await get("theirs")).status ?? {}).not.toEqual({ loadBalancer });
});

test("garbage in one Ingress harms no other", async () => {
  await serve("bad-pattern", ["/bad-([", "/good-(.*)"], { annotations: REWRITTEN });
  await serve("bad-rewrite", ["/elsewhere/(.*)"], { annotations: { "rewrite-target": "https://evil.example/$1" } });
  await serve("bad-numbers", ["/numbers"], { annotations: { "proxy-body-size": "x", "proxy-read-timeout": "-1" } });
  await serve("bad-tls", ["/tls"], { secretName: "missing", host: "tls.example" });
  const { metadata } = buildIngress("no-service", []) as { metadata: object };
  const backendless = { path: "/resource", pathType: "Prefix", backend: { resource: { kind: "X", name: "x" } } };
  const rules = [{ host: HOST, http: { paths: [backendless] } }, { host: HOST }];
  await fixture.cluster.create("ingresses", {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata,
    spec: { rules },
  });
  await serve("good", ["/run-1/(.*)"], { annotations: REWRITTEN });
  await untilServed("/run-1/a");
  expect(await ask(["/run-1/a", "/good-a", "/bad-(", "/elsewhere/x", "/numbers", "/resource"])).toEqual({
    "/run-1/a": "/envoy/a",
    "/good-a": "/envoy/a",
    "/bad-(": 404,
    "/elsewhere/x": 404,
    "/numbers": "/numbers",
    "/resource": 404,
  });
  expect((await fixture.get("/tls", { Host: "tls.example" }, { servername: "tls.example" })).status).toBe(200);
});

test("a Service without ready endpoints is 503, one that refuses 502, and each change counts at once", async () => {
  await serve("a", ["/none"], { service: "none" });
  await serve("b", ["/unready"], { service: "unready" });
  await serve("c", ["/refusing"], { service: "refusing" });
  await createService(fixture.cluster, fixture.backend.port, "unready", false);
  const closed: Server = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as { port: number };
  closed.close();
  await createService(fixture.cluster, port, "refusing");
  await eventually(() => ask(["/none", "/unready", "/refusing"])).toEqual({
    "/none": 503,
    "/unready": 503,
    "/refusing": 502,
  });
  const slice = { resource: "endpointslices", namespace: NAMESPACE, name: "unready-1" };
  await fixture.cluster.patch(slice, { endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }] });
  await eventually(() => ask(["/unready"])).toEqual({ "/unready": "/unready" });
  await fixture.cluster.delete(slice);
  await eventually(() => ask(["/unready"])).toEqual({ "/unready": 503 });
});

test("a route is there for the next request after its Ingress", async () => {
  await serve("a", ["/a"]);
  // The cluster tells what it has written in the next turn.
  await nextTurn();
  expect(await ask(["/a"])).toEqual({ "/a": "/a" });
});

test("a hundred routes that come at once are all served", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `run-${index}`);
  await Promise.all(names.map((name) => serve(name, [`/${name}/(.*)`], { annotations: REWRITTEN })));
  await untilServed("/run-99/x");
  expect(await ask(names.map((name) => `/${name}/${name}`))).toEqual(
    Object.fromEntries(names.map((name) => [`/${name}/${name}`, `/envoy/${name}`])),
  );
});
