import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { KubernetesUnderTest } from "@cactus/test-cluster";
import { ApiextensionsV1Api, CustomObjectsApi, type V1Ingress } from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { edgeProfiles } from "../../src/edge/index.ts";
import { connectCluster, ensurePki } from "../../src/kubernetes/index.ts";
import { SOON } from "./_echo.ts";

const BASE = new URL("../../../../infra/kubernetes/edge/f5/edge.yaml", import.meta.url);
const DEFINITION = new URL("_f5-policies.yaml", import.meta.url);
const HOST = "cactus.example.org";
const STRICT = { fieldValidation: "Strict" };

const { kubeconfig }: KubernetesUnderTest = inject("kubernetes");
const cluster = connectCluster({ kubeconfig });
const definitions = cluster.config.makeApiClient(ApiextensionsV1Api);
const custom = cluster.config.makeApiClient(CustomObjectsApi);
const namespace = `f5-${randomBytes(4).toString("hex")}`;
const policies = { group: "k8s.nginx.org", version: "v1", plural: "policies", namespace };

beforeAll(async () => {
  await cluster.core.createNamespace({ body: { metadata: { name: namespace } } });
  await definitions.createCustomResourceDefinition({ body: parse(readFileSync(DEFINITION, "utf8")) });
  await vi.waitFor(() => custom.listNamespacedCustomObject(policies), SOON);
});
afterAll(async () => {
  await definitions.deleteCustomResourceDefinition({ name: "policies.k8s.nginx.org" });
  await cluster.core.deleteNamespace({ name: namespace });
  await cluster[Symbol.asyncDispose]();
});

test("the API server takes all objects of the profile as they are", async () => {
  const [policy, base] = parseAllDocuments(readFileSync(BASE, "utf8")).map((document) => {
    const object = document.toJS();
    return { ...object, metadata: { ...object.metadata, namespace } };
  });
  const made = await custom.createNamespacedCustomObject({ ...policies, ...STRICT, body: policy });
  expect(made).toMatchObject(policy);
  const master = await cluster.networking.createNamespacedIngress({ namespace, ...STRICT, body: base });
  expect(master.spec).toMatchObject(base.spec);
  const { readHostSettings, buildRoute } = edgeProfiles.f5;
  const route: V1Ingress = buildRoute({
    ...{ installationId: "test", teststackId: "id", name: "ts-1", namespace, servicePort: 80 },
    ...{ proxyPrefix: "/envoy-SUCCESS", caSecretName: "tls-ca-certificate" },
    owner: {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      name: base.metadata.name,
      uid: master.metadata?.uid ?? "",
    },
    hostSettings: readHostSettings(master, HOST),
  });
  const minion = await cluster.networking.createNamespacedIngress({ namespace, ...STRICT, body: route });
  expect(minion).toMatchObject({ metadata: { annotations: route.metadata?.annotations }, spec: route.spec });
});

test("the CA's Secret is of the type that the controller wants", async () => {
  await ensurePki(cluster, {
    names: { caCertificateSecret: "ca", caKeyPairSecret: "signer", serverSecret: "server" },
    namespaces: { orchestration: namespace, execution: namespace },
    ...{ caCertificateType: "nginx.org/ca", fqdn: HOST, organisation: "test", now: new Date() },
  });
  expect(await cluster.core.readNamespacedSecret({ namespace, name: "ca" })).toMatchObject({
    type: "nginx.org/ca",
    data: { "ca.crt": expect.any(String) },
  });
});

test("a misspelt policy is refused, so that what is taken means something", async () => {
  const body = {
    apiVersion: "k8s.nginx.org/v1",
    kind: "Policy",
    metadata: { name: "misspelt" },
    spec: { ingressMTLS: { clientCertSecrets: "tls-ca-certificate" } },
  };
  await expect(custom.createNamespacedCustomObject({ ...policies, ...STRICT, body })).rejects.toThrow(
    "clientCertSecrets",
  );
});
