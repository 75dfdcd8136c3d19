import type { V1Ingress } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { type EdgeProfileName, edgeProfiles } from "./index.ts";
import type { RouteInput } from "./route.ts";

const owner = {
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  name: "ts-abc",
  uid: "set-uid",
  controller: true,
  blockOwnerDeletion: true,
};
const route: RouteInput = {
  installationId: "inst1234",
  teststackId: "0b5f1c3e-0000-4000-8000-000000000001",
  name: "ts-abc",
  namespace: "test-execution",
  owner,
  hostSettings: { host: "cactus.test", tlsSecretName: "server-pair", ingressClassName: "nginx" },
  servicePort: 80,
  proxyPrefix: "/envoy-SUCCESS",
  caSecretName: "tls-ca-certificate",
};
const metadata = {
  name: "ts-abc",
  namespace: "test-execution",
  labels: {
    "app.kubernetes.io/managed-by": "cactus-orchestrator",
    "app.kubernetes.io/instance": "inst1234",
    "cactus-orchestrator/teststack": route.teststackId,
  },
  ownerReferences: [owner],
};
const rules = [
  {
    host: "cactus.test",
    http: {
      paths: [
        {
          path: "/ts-abc/(.*)",
          pathType: "ImplementationSpecific",
          backend: { service: { name: "ts-abc", port: { number: 80 } } },
        },
      ],
    },
  },
];

test("a route for ingress-nginx carries all of the host's client verification itself", () => {
  expect(edgeProfiles["ingress-nginx"].buildRoute(route)).toEqual({
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      ...metadata,
      annotations: {
        "nginx.ingress.kubernetes.io/auth-tls-pass-certificate-to-upstream": "true",
        "nginx.ingress.kubernetes.io/auth-tls-secret": "test-execution/tls-ca-certificate",
        "nginx.ingress.kubernetes.io/auth-tls-verify-client": "on",
        "nginx.ingress.kubernetes.io/auth-tls-verify-depth": "3",
        "nginx.ingress.kubernetes.io/proxy-request-buffering": "on",
        "nginx.ingress.kubernetes.io/rewrite-target": "/envoy-$ssl_client_verify/$1",
        "nginx.ingress.kubernetes.io/use-regex": "true",
      },
    },
    spec: { ingressClassName: "nginx", tls: [{ hosts: ["cactus.test"], secretName: "server-pair" }], rules },
  });
});

test("a route for F5's controller is a minion: TLS and client verification are its master's", () => {
  expect(edgeProfiles.f5.buildRoute(route)).toEqual({
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      ...metadata,
      annotations: {
        "nginx.org/mergeable-ingress-type": "minion",
        "nginx.org/path-regex": "case_sensitive",
        "nginx.org/rewrite-target": "/envoy-SUCCESS/$1",
      },
    },
    spec: { ingressClassName: "nginx", rules },
  });
});

test("a route to an older runner, which has no proxy prefix, is a plain one", () => {
  const { metadata } = edgeProfiles["ingress-nginx"].buildRoute({ ...route, proxyPrefix: "" });
  expect(metadata?.annotations?.["nginx.ingress.kubernetes.io/rewrite-target"]).toBe("/$1");
});

const upstreamTls = { clientSecretName: "teststack-edge-client" };

test.each<[EdgeProfileName, Record<string, string>]>([
  [
    "ingress-nginx",
    {
      "nginx.ingress.kubernetes.io/backend-protocol": "HTTPS",
      "nginx.ingress.kubernetes.io/proxy-ssl-name": "ts-abc.test-execution.svc",
      "nginx.ingress.kubernetes.io/proxy-ssl-protocols": "TLSv1.2 TLSv1.3",
      "nginx.ingress.kubernetes.io/proxy-ssl-secret": "test-execution/teststack-edge-client",
      "nginx.ingress.kubernetes.io/proxy-ssl-server-name": "on",
      "nginx.ingress.kubernetes.io/proxy-ssl-verify": "on",
      "nginx.ingress.kubernetes.io/proxy-ssl-verify-depth": "1",
    },
  ],
  ["f5", { "nginx.org/policies": "teststack-tls", "nginx.org/ssl-services": "ts-abc" }],
])("%s: to an encrypted instance it speaks TLS, by annotations that come to the plain route's", (name, added) => {
  const { buildRoute } = edgeProfiles[name];
  const plain = buildRoute(route);
  expect(buildRoute({ ...route, upstreamTls })).toEqual({
    ...plain,
    metadata: { ...plain.metadata, annotations: { ...plain.metadata?.annotations, ...added } },
  });
});

const base = (annotations: Record<string, string>): V1Ingress => ({
  metadata: { name: "test-execution-ingress", namespace: "test-execution", annotations },
  spec: { ingressClassName: "nginx", tls: [{ hosts: ["cactus.test"], secretName: "server-pair" }], rules: [] },
});
const nginx = { "nginx.ingress.kubernetes.io/auth-tls-verify-client": "on" };
const f5 = { "nginx.org/mergeable-ingress-type": "master", "nginx.org/policies": "mtls" };

test.each<[EdgeProfileName, V1Ingress]>([
  ["ingress-nginx", base(nginx)],
  ["f5", base(f5)],
])("%s: what routes share is taken from the base Ingress", (name, ingress) => {
  expect(edgeProfiles[name].readHostSettings(ingress, "cactus.test")).toEqual(route.hostSettings);
});

test.each<[EdgeProfileName, string, V1Ingress]>([
  ["ingress-nginx", "has no TLS Secret for host cactus.test.", { ...base(nginx), spec: {} }],
  ["ingress-nginx", 'does not have nginx.ingress.kubernetes.io/auth-tls-verify-client: "on".', base(f5)],
  ["f5", "has no TLS Secret for host cactus.test.", { ...base(f5), spec: {} }],
  ["f5", 'does not have nginx.org/mergeable-ingress-type: "master".', base(nginx)],
  ["f5", "does not have nginx.org/policies.", base({ ...f5, "nginx.org/policies": "" })],
])("%s: no route is built below a base Ingress that %s", (name, message, ingress) => {
  expect(() => edgeProfiles[name].readHostSettings(ingress, "cactus.test")).toThrow(
    `The edge cannot be used: Ingress test-execution/test-execution-ingress ${message}`,
  );
});
