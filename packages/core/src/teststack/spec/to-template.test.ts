import { expect, test } from "vitest";
import { OrchestratorError } from "../../errors.ts";
import { buildProxyPrefix, checkTemplate, hashTemplate } from "../template.ts";
import { parseTeststackSpec } from "./parse.ts";
import type { TeststackSpec } from "./schema.ts";
import { toTemplate } from "./to-template.ts";

const spec: TeststackSpec = {
  apiVersion: "cactus-orchestrator/v1",
  kind: "Teststack",
  versions: {
    "v1.2": { images: { envoy: "envoy:1", runner: "runner:1", db: "postgres:16" } },
    "v1.3-beta/storage": { images: { envoy: "envoy:2", runner: "runner:2", db: "postgres:16" } },
  },
  runner: { container: "cactus-runner", port: 8080, proxyPrefix: true },
  hrefContainers: ["envoy", "taskiq"],
  labels: { tier: "test" },
  annotations: { note: "n" },
  nodeSelector: { disk: "ssd" },
  terminationGracePeriodSeconds: 5,
  containers: [
    { name: "cactus-runner", image: "runner", ports: [{ containerPort: 8080 }] },
    { name: "envoy", image: "envoy", env: [{ name: "B", value: "$(HREF_PREFIX)/b" }] },
  ],
  sidecars: [
    { name: "envoy-db", image: "db" },
    { name: "taskiq", image: "envoy" },
  ],
  initContainers: [{ name: "migrate", image: "envoy" }],
  volumes: [{ name: "data", emptyDir: {} }],
};
const place = { namespace: "teststack-templates", name: "teststack" };

test("a spec becomes the pair of objects that is otherwise read from the cluster", () => {
  expect(toTemplate(spec, "v1.3-beta/storage", { ...place, servicePort: 81 })).toEqual({
    statefulSet: {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: place,
      spec: {
        serviceName: "teststack",
        replicas: 0,
        selector: { matchLabels: { app: "teststack" } },
        template: {
          metadata: { labels: { tier: "test", app: "teststack" }, annotations: { note: "n" } },
          spec: {
            nodeSelector: { disk: "ssd" },
            terminationGracePeriodSeconds: 5,
            containers: [
              { name: "cactus-runner", image: "runner:2", ports: [{ containerPort: 8080 }] },
              {
                name: "envoy",
                image: "envoy:2",
                env: [
                  { name: "HREF_PREFIX", value: "" },
                  { name: "B", value: "$(HREF_PREFIX)/b" },
                ],
              },
            ],
            initContainers: [
              { name: "envoy-db", image: "postgres:16", restartPolicy: "Always" },
              {
                name: "taskiq",
                image: "envoy:2",
                env: [{ name: "HREF_PREFIX", value: "" }],
                restartPolicy: "Always",
              },
              { name: "migrate", image: "envoy:2" },
            ],
            volumes: [{ name: "data", emptyDir: {} }],
          },
        },
      },
    },
    service: {
      apiVersion: "v1",
      kind: "Service",
      metadata: place,
      spec: { selector: { app: "teststack" }, ports: [{ name: "http", port: 81, targetPort: 8080 }] },
    },
  });
});

test("an older runner's spec makes a template that says so", () => {
  const older = { ...spec, runner: { ...spec.runner, proxyPrefix: false } };
  expect(buildProxyPrefix(toTemplate(spec, "v1.2", place), "ts-abc")).toBe("/ts-abc-SUCCESS");
  expect(buildProxyPrefix(toTemplate(older, "v1.2", place), "ts-abc")).toBe("");
});

test("the template passes the check of templates, and its hash follows the content only", () => {
  const template = toTemplate(spec, "v1.2", place);
  expect(checkTemplate(template, { appName: "envoy", servicePort: 80 })).toBeUndefined();
  const reordered = Object.fromEntries(Object.entries(structuredClone(spec)).reverse());
  const again = toTemplate(parseTeststackSpec(JSON.stringify(reordered)), "v1.2", place);
  expect(hashTemplate(again)).toBe(hashTemplate(template));
  expect(hashTemplate(toTemplate(spec, "v1.3-beta/storage", place))).not.toBe(hashTemplate(template));
});

test.each(["v1.4", "constructor", ""])("a version that is not there (%j) is refused with those that are", (version) => {
  expect(() => toTemplate(spec, version, place)).toThrow(
    new OrchestratorError(
      "unavailable",
      `The teststack.yaml has no version ${version}; it has v1.2, v1.3-beta/storage.`,
    ),
  );
});
