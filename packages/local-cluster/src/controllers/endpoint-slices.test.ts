import { expect, test } from "vitest";
import { buildSlice, planSlices, type Service } from "./endpoint-slices.ts";

function buildService(spec: object = {}): Service {
  const ports = [{ port: 80, targetPort: "http", protocol: "TCP" }];
  const metadata = { name: "web", namespace: "n", uid: "s" };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app: "web" }, ports, ...spec } };
}

function buildPod(name: string, { ip = "10.0.0.1", port = 8080, ready = true, metadata = {}, phase = "Running" } = {}) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "n", uid: `uid-${name}`, ...metadata },
    spec: { nodeName: "local", containers: [{ name: "c", ports: [{ name: "http", containerPort: port }] }] },
    status: {
      phase,
      ...(ip !== "" && { podIP: ip }),
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  };
}

const endpoint = (name: string, ip: string, [ready, serving, terminating]: [boolean, boolean, boolean]) => ({
  addresses: [ip],
  conditions: { ready, serving, terminating },
  targetRef: { kind: "Pod", namespace: "n", name, uid: `uid-${name}` },
  nodeName: "local",
});
const http = (port: number) => [{ name: "", protocol: "TCP", port }];

test("Pods with an address are endpoints, ready or not; those that have ended are none", () => {
  const going = { deletionTimestamp: "2026-01-01T00:00:00Z" };
  const pods = [
    buildPod("a"),
    buildPod("b", { ip: "10.0.0.2", ready: false }),
    buildPod("c", { ip: "10.0.0.3", metadata: going }),
    buildPod("none", { ip: "" }),
    buildPod("over", { ip: "10.0.0.4", phase: "Failed" }),
  ];
  expect(planSlices(buildService(), pods)).toEqual([
    {
      ports: http(8080),
      endpoints: [
        endpoint("a", "10.0.0.1", [true, true, false]),
        endpoint("b", "10.0.0.2", [false, false, false]),
        endpoint("c", "10.0.0.3", [false, true, true]),
      ],
    },
  ]);
});

test("Pods whose ports differ stand in different slices; a port that a Pod has not is left out", () => {
  const annotations = { "local-cluster/ports": '{"8080":20001}' };
  const ports = [
    { name: "web", port: 80, targetPort: "http" },
    { name: "more", port: 81, targetPort: 9000 },
    { name: "no", port: 82, targetPort: "none" },
  ];
  const pods = [
    buildPod("a", { metadata: { annotations } }),
    buildPod("b", { ip: "10.0.0.2", port: 8081 }),
    buildPod("c", { ip: "10.0.0.3", port: 8081 }),
  ];
  const slices = planSlices(buildService({ ports }), pods);
  expect(
    slices.map(({ ports: of, endpoints }) => [of.map(({ name, port }) => [name, port]), endpoints.length]),
  ).toEqual([
    [
      [
        ["web", 20_001],
        ["more", 9000],
      ],
      1,
    ],
    [
      [
        ["web", 8081],
        ["more", 9000],
      ],
      2,
    ],
  ]);
});

test("without Pods there is an empty slice; not ready ones are published where that is asked for", () => {
  expect(planSlices(buildService(), [])).toEqual([{ ports: [], endpoints: [] }]);
  const service = buildService({ publishNotReadyAddresses: true });
  const [slice] = planSlices(service, [buildPod("a", { ready: false })]);
  expect(slice?.endpoints[0]?.conditions).toEqual({ ready: true, serving: false, terminating: false });
});

test("a slice is owned by its Service, and says when there is no other address", () => {
  const content = { ports: http(8080), endpoints: [] };
  expect(buildSlice(buildService({ clusterIP: "None" }), content)).toEqual({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      generateName: "web-",
      namespace: "n",
      labels: {
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": "web",
        "service.kubernetes.io/headless": "",
      },
      ownerReferences: [
        { apiVersion: "v1", kind: "Service", name: "web", uid: "s", controller: true, blockOwnerDeletion: true },
      ],
    },
    addressType: "IPv4",
    ...content,
  });
});
