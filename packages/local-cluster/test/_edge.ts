import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { ConnectionOptions } from "node:tls";
import { expect, vi } from "vitest";
import type { ClusterApi } from "../src/cluster-api.ts";
import { type Edge, type EdgeOptions, startEdge } from "../src/edge/edge.ts";
import { type Authority, createRootAuthority, type Identity } from "./_certificates.ts";
import { NAMESPACE, openCluster } from "./_cluster.ts";
import { type Answer, exchange } from "./_exchange.ts";

export const HOST = "test.example";
const ANNOTATION = "nginx.ingress.kubernetes.io/";

/** What the backend was asked. */
interface Seen {
  method: string;
  target: string;
  headers: Record<string, string | undefined>;
  rawHeaders: string[];
  body: string;
}

/** The annotations that the orchestrator puts on each Ingress of a verified host. */
export const VERIFIED = {
  "auth-tls-secret": `${NAMESPACE}/tls-ca-certificate`,
  "auth-tls-verify-client": "on",
  "auth-tls-verify-depth": "2",
  "auth-tls-pass-certificate-to-upstream": "true",
};
export const REWRITTEN = { "rewrite-target": "/envoy/$1" };

/** A chain of three authorities as IEEE 2030.5 has it, and what it issued. */
interface Pki {
  root: Authority;
  mca: Authority;
  mica: Authority;
  server: Identity;
  /** Certificates of the device, MICA and MCA, and the device's key. */
  device: { cert: string; key: string; leaf: string };
}

async function createPki(): Promise<Pki> {
  const root = await createRootAuthority("SERCA");
  const mca = await root.createAuthority("MCA");
  const mica = await mca.createAuthority("MICA");
  const server = await mica.issueServer(HOST);
  const device = await mica.issueDevice();
  const cert = device.certificatePem + mica.certificatePem + mca.certificatePem;
  return { root, mca, mica, server, device: { cert, key: device.keyPem, leaf: device.certificatePem } };
}

/** An HTTP server that records what reaches it. */
interface Backend extends AsyncDisposable {
  readonly port: number;
  readonly seen: Seen[];
  /** Answers each request; `ok` unless told otherwise. */
  answer: RequestListener;
}

async function startBackend(): Promise<Backend> {
  const server = createServer(async (request, response) => {
    const { method = "", url: target = "", rawHeaders } = request;
    const headers = request.headers as Record<string, string | undefined>;
    const entry = { method, target, headers, rawHeaders, body: "" };
    backend.seen.push(entry);
    if (hasBody(request)) entry.body = await text(request);
    backend.answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const backend: Backend = {
    port: (server.address() as AddressInfo).port,
    seen: [],
    answer: (_request, response) => response.end("ok"),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return backend;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

export interface EdgeFixture extends AsyncDisposable {
  cluster: ClusterApi;
  edge: Edge;
  pki: Pki;
  /** Behind the Service `runner`. */
  backend: Backend;
  /** Makes an Ingress for that Service (see `buildIngress`). */
  serve(name: string, paths: string[], settings?: IngressSettings): Promise<unknown>;
  /** Waits until something is answered with 200, and forgets what the backend saw of it. */
  untilServed(target: string): Promise<void>;
  /** Sends bytes over a TLS connection of its own and reads the answer. */
  send(request: string | Buffer, tls?: ConnectionOptions): Promise<Answer>;
  get(target: string, headers?: Record<string, string>, tls?: ConnectionOptions): Promise<Answer>;
}

/** An edge on a cluster that has the host's two Secrets and a Service with one endpoint. */
export async function startEdgeFixture(options: Partial<EdgeOptions> = {}): Promise<EdgeFixture> {
  const pki = await createPki();
  const opened = await openCluster();
  const { cluster } = opened;
  await cluster.create("secrets", tlsSecret("tls-server-certificate", pki.server));
  await cluster.create("secrets", caSecret(pki.root.certificatePem));
  const backend = await startBackend();
  await createService(cluster, backend.port);
  const edge = await startEdge({ cluster, host: "127.0.0.1", port: 0, ...options });
  const send: EdgeFixture["send"] = (request, tls) =>
    exchange(request, { port: edge.port, servername: HOST, cert: pki.device.cert, key: pki.device.key, ...tls });
  const get: EdgeFixture["get"] = (target, headers = {}, tls = {}) => {
    const lines = Object.entries({ Host: HOST, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return send(`GET ${target} HTTP/1.1\r\n${lines.join("")}Connection: close\r\n\r\n`, tls);
  };
  return {
    ...{ cluster, edge, pki, backend, send, get },
    serve: (name, paths, settings) => cluster.create("ingresses", buildIngress(name, paths, settings)),
    untilServed: async (target) => {
      await vi.waitFor(async () => expect((await get(target)).status).toBe(200), { timeout: 20_000, interval: 20 });
      backend.seen.length = 0;
    },
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
      opened[Symbol.dispose]();
    },
  };
}

export interface IngressSettings {
  annotations?: Record<string, string>;
  host?: string;
  pathType?: string;
  service?: string;
  ingressClassName?: string;
  secretName?: string | null;
}

/** An Ingress for the Service `runner`, with the host's certificate; annotations go without their common prefix. */
export function buildIngress(name: string, paths: string[], settings: IngressSettings = {}): object {
  const {
    host = HOST,
    annotations = {},
    pathType = "ImplementationSpecific",
    secretName = "tls-server-certificate",
  } = settings;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      name,
      namespace: NAMESPACE,
      annotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [ANNOTATION + key, value])),
    },
    spec: {
      ingressClassName: settings.ingressClassName ?? "nginx",
      ...(secretName !== null && { tls: [{ hosts: [host], secretName }] }),
      rules: [
        {
          host,
          http: {
            paths: paths.map((path) => ({
              path,
              pathType,
              backend: { service: { name: settings.service ?? "runner", port: { number: 80 } } },
            })),
          },
        },
      ],
    },
  };
}

export function tlsSecret(name: string, { certificatePem, keyPem }: Identity): object {
  return secret(name, { "tls.crt": certificatePem, "tls.key": keyPem }, "kubernetes.io/tls");
}

export function caSecret(pem: string, key = "ca.crt"): object {
  return secret("tls-ca-certificate", { [key]: pem });
}

function secret(name: string, data: Record<string, string>, type = "Opaque"): object {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  return {
    apiVersion: "v1",
    kind: "Secret",
    type,
    metadata: { name, namespace: NAMESPACE },
    data: Object.fromEntries(encoded),
  };
}

/** A Service with one endpoint on this machine. */
export async function createService(cluster: ClusterApi, port: number, name = "runner", isReady = true): Promise<void> {
  await cluster.create("services", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: NAMESPACE },
    spec: { ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  });
  await cluster.create("endpointslices", {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-1`, namespace: NAMESPACE, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "http", port, protocol: "TCP" }],
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: isReady } }],
  });
}
