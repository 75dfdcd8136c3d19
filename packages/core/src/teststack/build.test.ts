import type { V1Service, V1StatefulSet } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { OrchestratorError } from "../errors.ts";
import { buildOwnerReference, buildPod, buildService, buildStatefulSet } from "./build.ts";
import { newTeststackName } from "./name.ts";
import { buildProxyPrefix, checkTemplate, hashTemplate, type Template } from "./template.ts";

const service: V1Service = {
  metadata: { name: "envoy-svc", namespace: "teststack-templates", uid: "other", resourceVersion: "9" },
  spec: {
    type: "NodePort",
    clusterIP: "10.0.0.7",
    clusterIPs: ["10.0.0.7"],
    selector: { app: "envoy" },
    ports: [{ name: "http", port: 80, targetPort: 8080, nodePort: 30123, protocol: "TCP" }],
  },
};
const statefulSet: V1StatefulSet = {
  metadata: {
    name: "envoy-set",
    namespace: "teststack-templates",
    uid: "other",
    resourceVersion: "8",
    labels: { team: "a" },
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
    finalizers: ["x/y"],
  },
  spec: {
    serviceName: "envoy-svc",
    replicas: 0,
    minReadySeconds: 10,
    selector: { matchLabels: { app: "envoy" } },
    template: {
      metadata: { labels: { app: "envoy", tier: "test" }, annotations: { note: "n" } },
      spec: {
        initContainers: [{ name: "db", image: "postgres:16", restartPolicy: "Always" }],
        containers: [
          {
            name: "cactus-runner",
            image: "runner:1",
            ports: [{ containerPort: 8080 }],
            env: [{ name: "A", value: "$(ENVOY_PROXY_PREFIX)" }],
          },
          {
            name: "envoy",
            image: "envoy:1",
            env: [
              { name: "HREF_PREFIX", value: "/old" },
              { name: "B", value: "b" },
            ],
          },
          { name: "taskiq", image: "envoy:1", env: [{ name: "HREF_PREFIX", value: "/old" }] },
        ],
      },
    },
    volumeClaimTemplates: [
      { metadata: { name: "data", uid: "z" }, spec: { accessModes: ["ReadWriteOnce"] }, status: { phase: "Bound" } },
    ],
  },
  status: { replicas: 0 },
};
const template: Template = { statefulSet, service };
const input = {
  installationId: "inst1234",
  teststackId: "0b5f1c3e-0000-4000-8000-000000000001",
  name: "ts-abc",
  namespace: "test-execution",
  template,
  appName: "envoy",
};
const labels = {
  "app.kubernetes.io/managed-by": "cactus-orchestrator",
  "app.kubernetes.io/instance": "inst1234",
  "cactus-orchestrator/teststack": input.teststackId,
};
const owner = {
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  name: "ts-abc",
  uid: "set-uid",
  controller: true,
  blockOwnerDeletion: true,
};

test("a StatefulSet takes over from the template what it needs, and nothing else", () => {
  expect(buildStatefulSet(input)).toEqual({
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "ts-abc", namespace: "test-execution", labels },
    spec: {
      serviceName: "ts-abc",
      replicas: 1,
      revisionHistoryLimit: 1,
      selector: { matchLabels: { "cactus-orchestrator/teststack": input.teststackId } },
      template: {
        metadata: { labels: { tier: "test", ...labels, app: "ts-abc" }, annotations: { note: "n" } },
        spec: {
          initContainers: [{ name: "db", image: "postgres:16", restartPolicy: "Always" }],
          containers: [
            {
              name: "cactus-runner",
              image: "runner:1",
              ports: [{ containerPort: 8080 }],
              env: [
                { name: "ENVOY_PROXY_PREFIX", value: "/ts-abc-SUCCESS" },
                { name: "A", value: "$(ENVOY_PROXY_PREFIX)" },
              ],
            },
            {
              name: "envoy",
              image: "envoy:1",
              env: [
                { name: "HREF_PREFIX", value: "/ts-abc" },
                { name: "B", value: "b" },
              ],
            },
            { name: "taskiq", image: "envoy:1", env: [{ name: "HREF_PREFIX", value: "/ts-abc" }] },
          ],
          enableServiceLinks: false,
          automountServiceAccountToken: false,
        },
      },
      volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"] } }],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" },
    },
  });
});

test("a Service leads to the instance alone and is owned by its StatefulSet", () => {
  expect(buildService({ ...input, owner })).toEqual({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "ts-abc", namespace: "test-execution", labels, ownerReferences: [owner] },
    spec: {
      type: "ClusterIP",
      selector: { "cactus-orchestrator/teststack": input.teststackId },
      ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
    },
  });
  const headless = { ...template, service: { ...service, spec: { ...service.spec, clusterIP: "None" } } };
  expect(buildService({ ...input, template: headless, owner }).spec?.clusterIP).toBe("None");
});

test("a bare Pod is what the StatefulSet's would be, by the instance's own name", () => {
  const unclaimed = structuredClone(template);
  delete unclaimed.statefulSet.spec?.volumeClaimTemplates;
  const pod = buildPod({ ...input, template: unclaimed });
  const { metadata, spec } = buildStatefulSet(input).spec?.template ?? {};
  expect(pod).toEqual({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "ts-abc", namespace: "test-execution", ...metadata },
    spec,
  });
  expect(buildOwnerReference("pod", { name: "ts-abc", uid: "u" })).toMatchObject({ apiVersion: "v1", kind: "Pod" });
  expect(() => buildPod(input)).toThrow(
    "teststack-templates/envoy-set has volumeClaimTemplates, which a Pod of its own (TESTSTACK_WORKLOAD=pod) cannot have.",
  );
});

test("a template with an older runner gets neither the prefix nor the rewrite below it", () => {
  const annotations = { "cactus-orchestrator/runner-proxy-prefix": "false" };
  const older = { ...template, statefulSet: { ...statefulSet, metadata: { ...statefulSet.metadata, annotations } } };
  expect(buildProxyPrefix(older, "ts-abc")).toBe("");
  expect(buildProxyPrefix(template, "ts-abc")).toBe("/ts-abc-SUCCESS");
  const runner = buildStatefulSet({ ...input, template: older }).spec?.template.spec?.containers[0];
  expect(runner?.env).toEqual([{ name: "A", value: "$(ENVOY_PROXY_PREFIX)" }]);
});

test("the hash follows the content, not the template's own life or the order of its fields", () => {
  const touched = {
    ...statefulSet,
    metadata: { ...statefulSet.metadata, resourceVersion: "99" },
    status: { replicas: 1 },
  };
  const reordered = { ...touched, spec: Object.fromEntries(Object.entries(statefulSet.spec ?? {}).reverse()) };
  const same = { service, statefulSet: reordered as V1StatefulSet };
  expect(hashTemplate(same)).toBe(hashTemplate(template));
  const changed = structuredClone(template);
  changed.statefulSet.spec?.template.spec?.containers.pop();
  expect(hashTemplate(changed)).not.toBe(hashTemplate(template));
});

test.each([
  ["StatefulSet teststack-templates/envoy-set has no container named app", { appName: "app", servicePort: 80 }],
  ["Service teststack-templates/envoy-svc has no port 81", { appName: "envoy", servicePort: 81 }],
])("a template is refused in words: %s", (message, expected) => {
  expect(() => checkTemplate(template, expected)).toThrow(
    new OrchestratorError("unavailable", `The teststack template cannot be used: ${message}.`),
  );
});

test("a template as it should be is accepted", () => {
  expect(checkTemplate(template, { appName: "envoy", servicePort: 80 })).toBeUndefined();
});

test("names are DNS-1035 labels, short enough for a StatefulSet, and do not repeat", () => {
  const names = Array.from({ length: 1000 }, () => newTeststackName());
  for (const name of names) expect(name).toMatch(/^ts-[0-9b-df-hj-np-tv-xz]{12}$/);
  expect(new Set(names).size).toBe(1000);
});
