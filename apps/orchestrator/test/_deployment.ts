import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Cluster, connectCluster, ensurePki, isNotFound } from "@cactus/core/kubernetes";
import { issueServerCertificate, loadAuthority, type ServerCertificate } from "@cactus/core/pki";
import { installIngressNginx } from "@cactus/test-cluster";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { inject } from "vitest";
import { type AuditedRequest, readAuditLog } from "./_audit-log.ts";
import { loadDeploymentImages } from "./_images.ts";

const run = promisify(execFile);
const MANIFESTS = fileURLToPath(new URL("../../../infra/kubernetes", import.meta.url));

/** What the orchestrator is to the API server. */
export const ACCOUNT = "system:serviceaccount:test-orchestration:orchestrator";
const DAY_MS = 86_400_000;

export const API_HOST = "cactus-api.test";
export const EDGE_HOST = "cactus.test";

/** An installation on the test cluster, made as an operator makes one, behind a real ingress-nginx. */
export interface Deployment extends AsyncDisposable {
  cluster: Cluster;
  kubectl(...parameters: string[]): Promise<string>;
  /** Where API and instances are reached from outside. */
  edge: { host: string; port: number };
  caPem: string;
  /** What edge and API showed before the orchestrator came, by place: due to be renewed. */
  oldCertificates: Map<string, string>;
  sign(subject: string): Promise<string>;
  /** MiB, by name. */
  imageSizes: Record<string, number>;
  /** All that the orchestrator has asked of the API server. */
  listRequests(): Promise<AuditedRequest[]>;
}

export async function startDeployment(): Promise<Deployment> {
  await using stack = new AsyncDisposableStack();
  const { kubeconfig, kubectl: program, auditLog } = inject("kubernetes");
  const cluster = stack.use(connectCluster({ kubeconfig, timeoutSeconds: 30 }));
  const kubectl = async (...parameters: string[]): Promise<string> =>
    (await run(program, ["--kubeconfig", kubeconfig, ...parameters], { maxBuffer: 2 ** 26 })).stdout;
  stack.use(await installIngressNginx({ kubeconfig, kubectl: program }));
  const imageSizes = await loadDeploymentImages();
  await kubectl("apply", "-f", `${MANIFESTS}/base/namespaces.yaml`);
  const certificates = await makeCertificates(cluster);
  const sign = await makeTokenKeys(cluster);
  stack.defer(async () => {
    await kubectl("delete", "--ignore-not-found", "-k", `${MANIFESTS}/overlays/test`);
  });
  await kubectl("apply", "-k", `${MANIFESTS}/overlays/test`);
  const edge = { host: await findAddress(cluster, "ingress-nginx/ingress-nginx-controller"), port: 443 };
  await kubectl("rollout", "status", "deployment/orchestrator", "-n", "test-orchestration", "--timeout=120s");
  const owned = stack.move();
  return {
    cluster,
    kubectl,
    edge,
    ...certificates,
    sign,
    imageSizes,
    listRequests: async () => (await readAuditLog(auditLog)).filter(({ user }) => user === ACCOUNT),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A Service's own address: this machine has a route to it. */
async function findAddress({ core }: Cluster, service: string): Promise<string> {
  const [namespace = "", name = ""] = service.split("/");
  return (await core.readNamespacedService({ namespace, name })).spec?.clusterIP ?? "";
}

/** What `cactus pki bootstrap` makes, but that the certificates of edge and API have grown old. */
async function makeCertificates(cluster: Cluster): Promise<Pick<Deployment, "caPem" | "oldCertificates">> {
  const [orchestration, execution] = ["test-orchestration", "test-execution"];
  const names = {
    caCertificateSecret: "tls-ca-certificate",
    caKeyPairSecret: "tls-ca-cert-key-pair",
    serverSecret: "tls-server-certificate",
    apiSecret: "tls-api-certificate",
  };
  const now = new Date();
  const longAgo = new Date(now.getTime() - 20 * DAY_MS);
  await ensurePki(cluster, {
    ...{ fqdn: EDGE_HOST, apiHosts: [API_HOST], organisation: "test", now: longAgo, names },
    namespaces: { orchestration, execution },
  });
  const signing = await readSecret(cluster, orchestration, names.caKeyPairSecret);
  const [certificatePem = "", privateKeyPem = ""] = [signing["tls.crt"], signing["tls.key"]];
  const authority = await loadAuthority({ certificatePem, privateKeyPem, now });
  const oldCertificates = new Map<string, string>();
  const shown = [
    [`${execution}/${names.serverSecret}`, EDGE_HOST],
    [`${orchestration}/${names.apiSecret}`, API_HOST],
  ] as const;
  for (const [place, host] of shown) {
    const old = await issueServerCertificate(authority, { dnsNames: [host], validityDays: 25, now: longAgo });
    await writeSecret(cluster, place, old);
    oldCertificates.set(place, old.certificatePem);
  }
  const caPem = (await readSecret(cluster, execution, names.caCertificateSecret))["ca.crt"] ?? "";
  return { caPem, oldCertificates };
}

async function readSecret(cluster: Cluster, namespace: string, name: string): Promise<Record<string, string>> {
  const { data = {} } = await cluster.core.readNamespacedSecret({ namespace, name });
  return Object.fromEntries(Object.entries(data).map(([file, text]) => [file, Buffer.from(text, "base64").toString()]));
}

async function writeSecret({ core }: Cluster, place: string, certificate: ServerCertificate): Promise<void> {
  const [namespace = "", name = ""] = place.split("/");
  const stringData = { "tls.crt": certificate.certificatePem, "tls.key": certificate.privateKeyPem };
  const body = { metadata: { name }, type: "kubernetes.io/tls", stringData };
  await core.deleteNamespacedSecret({ namespace, name }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
  await core.createNamespacedSecret({ namespace, body });
}

/** Keys that check tokens, where the overlay mounts them. Gives a signer of an administrator's tokens. */
async function makeTokenKeys(cluster: Cluster): Promise<Deployment["sign"]> {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const keys = [{ ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" }];
  await cluster.core.createNamespacedConfigMap({
    namespace: "test-orchestration",
    body: { metadata: { name: "token-keys" }, data: { "jwks.json": JSON.stringify({ keys }) } },
  });
  return (subject) =>
    new SignJWT({ permissions: ["user:all"] })
      .setProtectedHeader({ alg: "ES256", kid: "1" })
      .setIssuer("https://issuer.test/")
      .setAudience("cactus-test")
      .setSubject(subject)
      .setExpirationTime("1h")
      .sign(privateKey);
}
