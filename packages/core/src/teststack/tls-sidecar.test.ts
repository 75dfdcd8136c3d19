import type { V1Service, V1StatefulSet } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { buildPod, buildService, buildStatefulSet } from "./build.ts";
import { buildTlsSecret, findRunnerPort } from "./tls-sidecar.ts";

const statefulSet: V1StatefulSet = {
  metadata: { name: "envoy-set", namespace: "teststack-templates" },
  spec: {
    serviceName: "envoy-svc",
    selector: { matchLabels: { app: "envoy" } },
    template: {
      spec: {
        initContainers: [{ name: "migrate", image: "envoy:1" }],
        containers: [
          { name: "cactus-runner", image: "runner:1", ports: [{ name: "api", containerPort: 8080 }] },
          { name: "envoy", image: "envoy:1", ports: [{ containerPort: 8000 }] },
        ],
        volumes: [{ name: "data", emptyDir: {} }],
      },
    },
  },
};
const ports = [
  { name: "http", port: 80, targetPort: 8080 as number | string },
  { name: "admin", port: 81, targetPort: 8000 },
];
const service: V1Service = {
  metadata: { name: "envoy-svc", namespace: "teststack-templates" },
  spec: { ports },
};
const input = {
  installationId: "inst1234",
  teststackId: "0b5f1c3e-0000-4000-8000-000000000001",
  name: "ts-abc",
  namespace: "test-execution",
  template: { statefulSet, service },
  appName: "envoy",
};
const sidecar = { image: "nginx:1", servicePort: 80 };
const owner = { apiVersion: "v1", kind: "Pod", name: "ts-abc", uid: "u" };

test("the sidecar is the last of a Pod's init containers, with its Secret; all else stays as it is", () => {
  const plain = buildPod(input).spec;
  expect(buildPod({ ...input, sidecar }).spec).toEqual({
    ...plain,
    initContainers: [
      ...(plain?.initContainers ?? []),
      {
        name: "tls",
        image: "nginx:1",
        command: ["nginx", "-e", "stderr", "-c", "/etc/teststack-tls/nginx.conf"],
        restartPolicy: "Always",
        ports: [{ name: "teststack-tls", containerPort: 8443 }],
        readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
        resources: { requests: { cpu: "5m", memory: "16Mi" }, limits: { memory: "64Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          runAsUser: 65532,
          runAsGroup: 65532,
          seccompProfile: { type: "RuntimeDefault" },
        },
        volumeMounts: [{ name: "teststack-tls", mountPath: "/etc/teststack-tls", readOnly: true }],
      },
    ],
    volumes: [
      { name: "data", emptyDir: {} },
      { name: "teststack-tls", secret: { secretName: "ts-abc" } },
    ],
  });
  expect(buildStatefulSet({ ...input, sidecar }).spec?.template.spec).toEqual(buildPod({ ...input, sidecar }).spec);
});

test("an encrypted instance's Service has one port, which leads to the sidecar", () => {
  expect(buildService({ ...input, sidecar, owner }).spec?.ports).toEqual([
    { name: "https", port: 80, targetPort: 8443, protocol: "TCP" },
  ]);
});

test("the Secret is owned by the instance and has its files and how to serve", () => {
  const files = { "tls.crt": "certificate", "tls.key": "key", "ca.crt": "ca" };
  const { data, ...secret } = buildTlsSecret({ ...input, sidecar, owner, files });
  expect(secret).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: "ts-abc",
      namespace: "test-execution",
      labels: {
        "app.kubernetes.io/managed-by": "cactus-orchestrator",
        "app.kubernetes.io/instance": "inst1234",
        "cactus-orchestrator/teststack": input.teststackId,
      },
      ownerReferences: [owner],
    },
    type: "kubernetes.io/tls",
  });
  const decoded = Object.entries(data ?? {}).map(([file, text]) => [file, Buffer.from(text, "base64").toString()]);
  const { "nginx.conf": configuration, ...rest } = Object.fromEntries(decoded);
  expect(rest).toEqual(files);
  expect(configuration).toBe(`daemon off;
worker_processes 1;
error_log stderr warn;
pid /dev/shm/nginx.pid;
include /etc/nginx/modules-enabled/*stream.conf;
events {}
stream {
  map $ssl_client_s_dn $runner {
    "CN=edge.cactus-orchestrator" $server_addr:8080;
    "CN=orchestrator.cactus-orchestrator" $server_addr:8080;
  }
  server {
    listen 8443 ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate tls.crt;
    ssl_certificate_key tls.key;
    ssl_client_certificate ca.crt;
    ssl_verify_client on;
    ssl_verify_depth 1;
    proxy_pass $runner;
    proxy_connect_timeout 5s;
    proxy_timeout 1h;
  }
}
`);
});

test.each<[string, { port: number; targetPort?: number | string }, number | string]>([
  ["by number", { port: 80, targetPort: 8080 }, 8080],
  ["by name", { port: 80, targetPort: "api" }, 8080],
  ["by its own number", { port: 80 }, 80],
  ["to nothing", { port: 80, targetPort: "nobody" }, "leads to no port of a container."],
  ["to the sidecar's own port", { port: 80, targetPort: 8443 }, "leads to the port that the TLS sidecar takes."],
])("the runner is found where the template's Service leads: %s", (_, servicePort, expected) => {
  const template = { statefulSet, service: { ...service, spec: { ports: [servicePort] } } };
  if (typeof expected === "number") expect(findRunnerPort(template, 80)).toBe(expected);
  else
    expect(() => findRunnerPort(template, 80)).toThrow(
      `The teststack template cannot be used: port 80 of Service teststack-templates/envoy-svc ${expected}`,
    );
});
