import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import type { V1Ingress } from "@kubernetes/client-node";
import { expect, vi } from "vitest";
import { parse } from "yaml";
import { type Answer, exchange } from "../../../local-cluster/test/_exchange.ts";
import { edgeProfiles, type HostSettings } from "../../src/edge/index.ts";
import { type Cluster, ensurePki, readPki } from "../../src/kubernetes/index.ts";
import { type Authority, issueClientCertificate, loadAuthority } from "../../src/pki/index.ts";
import { buildProxyPrefix } from "../../src/teststack/index.ts";
import { type Seen, SOON, startEcho } from "./_echo.ts";

const { readHostSettings, buildRoute } = edgeProfiles["ingress-nginx"];
const BASE = new URL("../../../../infra/kubernetes/edge/ingress-nginx/edge.yaml", import.meta.url);
const DAY_MS = 86_400_000;
const IN_A_ROW = 20;

/** What the orchestrator tells runners. */
export const PROXY_PREFIX = buildProxyPrefix({ statefulSet: {}, service: {} }, "envoy");
export const BASE_NAME = "test-execution-ingress";
export const CA_SECRET = "tls-ca-certificate";
export const SERVER_SECRET = "tls-server-certificate";
export const NOBODY: ConnectionOptions = { cert: undefined, key: undefined };

/** An edge before a cluster. */
export interface EdgeUnderTest extends AsyncDisposable {
  cluster: Cluster;
  /** An image in which there is `node`. */
  image: string;
  /** `plainPort` speaks HTTP without TLS. */
  address: { host: string; port: number; plainPort?: number };
}

/** What a request came to. */
export interface Outcome extends Answer {
  /** Undefined when it reached no instance. */
  seen: Seen | undefined;
}

/** A host as an operator sets it up, in a namespace of its own. */
export interface EdgeHost extends AsyncDisposable {
  host: string;
  namespace: string;
  cluster: Cluster;
  /** What signs clients' certificates, and could have for the last month. */
  authority: Authority;
  authorityKeyPem: string;
  /** Builds an instance's route as the orchestrator does. */
  buildRoute(name: string): V1Ingress;
  /** Makes an instance and its route; does not wait for it. */
  addInstance(name: string): Promise<void>;
  untilServed(name: string): Promise<void>;
  /** Sends bytes over a TLS connection of its own, as a device that is let in unless told otherwise. */
  send(request: string | Buffer, tls?: ConnectionOptions): Promise<Outcome>;
  get(target: string, headers?: string[], tls?: ConnectionOptions): Promise<Outcome>;
  /** Replaces what a Secret of the host holds. */
  setSecret(name: string, files: Record<string, string>): Promise<void>;
}

export interface HostOptions {
  host?: string;
  /** How many instances it can have. */
  size?: number;
}

export async function openHost(edge: EdgeUnderTest, { host, size = 4 }: HostOptions = {}): Promise<EdgeHost> {
  const { cluster, image, address } = edge;
  const { core, networking } = cluster;
  const namespace = `edge-${randomBytes(4).toString("hex")}`;
  const name = host ?? `${namespace}.example`;
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  const { authority, authorityKeyPem } = await makePki(cluster, namespace, name);
  const device = await issueClientCertificate(authority, {
    kind: "device",
    pen: 1,
    hardwareSerial: "1",
    now: new Date(),
  });
  const hostSettings = await createBase(cluster, namespace, name);
  const echo = await startEcho(cluster, { namespace, image }, size);

  const send: EdgeHost["send"] = async (request, tls) => {
    const answer = await exchange(request, {
      ...{ ...address, servername: name, cert: device.chainPem, key: device.privateKeyPem ?? "" },
      ...tls,
    });
    const isEcho = answer.status === 200 && answer.body.startsWith("{");
    return { ...answer, seen: isEcho ? echo.read(answer.body) : undefined };
  };
  const get: EdgeHost["get"] = (target, headers = [], tls = {}) =>
    send(`${[`GET ${target} HTTP/1.1`, `Host: ${name}`, "Connection: close", ...headers].join("\r\n")}\r\n\r\n`, tls);

  const buildRouteOf = (instance: string): V1Ingress =>
    buildRoute({
      ...{ installationId: "test", teststackId: instance, name: instance, namespace, owner: echo.owner },
      ...{ hostSettings, servicePort: 80, proxyPrefix: PROXY_PREFIX, caSecretName: CA_SECRET },
    });

  return {
    ...{ host: name, namespace, cluster, authority, authorityKeyPem, send, get },
    buildRoute: buildRouteOf,
    async addInstance(instance) {
      await echo.addService(instance);
      await networking.createNamespacedIngress({ namespace, body: buildRouteOf(instance) });
    },
    async untilServed(instance) {
      await vi.waitFor(async () => {
        // For a moment after a reload nginx answers by its old workers too.
        for (let turn = 0; turn < IN_A_ROW; turn += 1)
          expect((await get(`/${instance}/`)).seen?.instance).toBe(instance);
      }, SOON);
    },
    async setSecret(secret, files) {
      const found = await core.readNamespacedSecret({ namespace, name: secret });
      const { data: _, ...rest } = found;
      await core.replaceNamespacedSecret({ namespace, name: secret, body: { ...rest, stringData: files } });
    },
    async [Symbol.asyncDispose]() {
      await core.deleteNamespace({ name: namespace });
    },
  };
}

/** As `cactus pki bootstrap` does, a month ago. */
async function makePki(cluster: Cluster, namespace: string, fqdn: string) {
  const places = {
    names: { caCertificateSecret: CA_SECRET, caKeyPairSecret: "tls-ca-cert-key-pair", serverSecret: SERVER_SECRET },
    namespaces: { orchestration: namespace, execution: namespace },
  };
  await ensurePki(cluster, { ...places, fqdn, organisation: "test", now: new Date(Date.now() - 30 * DAY_MS) });
  const { authority: files } = await readPki(cluster, places);
  const [certificatePem = "", authorityKeyPem = ""] = [files?.["tls.crt"], files?.["tls.key"]];
  const authority = loadAuthority({ certificatePem, privateKeyPem: authorityKeyPem, now: new Date() });
  return { authority, authorityKeyPem };
}

/** The base Ingress that our manifests have. */
async function createBase({ networking }: Cluster, namespace: string, host: string): Promise<HostSettings> {
  const text = readFileSync(BASE, "utf8").replaceAll("cactus.example.org", host);
  const body: V1Ingress = parse(text.replaceAll("test-execution/", `${namespace}/`));
  body.metadata = { ...body.metadata, namespace };
  return readHostSettings(await networking.createNamespacedIngress({ namespace, body }), host);
}
