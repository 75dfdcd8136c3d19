import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { applyManifests, type Cluster, connectCluster, ensurePki, type Manifest } from "@cactus/core/kubernetes";
import { type LocalCluster, startLocalCluster } from "@cactus/local-cluster";
import type { V1Container, V1Ingress, V1StatefulSet } from "@kubernetes/client-node";
import { parse, parseAllDocuments, stringify } from "yaml";

const MANIFESTS = fileURLToPath(new URL("../../../infra/kubernetes", import.meta.url));
const SIMULATOR = fileURLToPath(new URL("../../../packages/teststack-simulator", import.meta.url));

/** Port at which a Pod's simulator can be told to go wrong. */
export const CONTROL_PORT = 8099;

export interface TestCluster extends AsyncDisposable {
  local: LocalCluster;
  client: Cluster;
  caPem: string;
  /** What an orchestrator needs to know of it. */
  variables: Record<string, string>;
}

/** A local cluster in this process, furnished by the manifests that production uses; its edge is `localhost`. */
export async function startTestCluster(): Promise<TestCluster> {
  await using stack = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "cactus-cluster-"));
  stack.defer(() => rm(home, { recursive: true, force: true }));
  const images = { "cactus/teststack-simulator": SIMULATOR };
  const local = stack.use(await startLocalCluster({ dataDir: home, images }));
  const client = stack.use(connectCluster({ kubeconfig: local.kubeconfigPath }));
  await applyManifests(client, await readManifests());
  const names = {
    caCertificateSecret: "tls-ca-certificate",
    caKeyPairSecret: "tls-ca-cert-key-pair",
    serverSecret: "tls-server-certificate",
  };
  const namespaces = { orchestration: "test-orchestration", execution: "test-execution" };
  await ensurePki(client, { fqdn: "localhost", organisation: "test", now: new Date(), names, namespaces });
  const secret = await client.core.readNamespacedSecret({
    name: names.caCertificateSecret,
    namespace: namespaces.execution,
  });
  const edge = new URL(local.edgeUrl);
  const owned = stack.move();
  return {
    local,
    client,
    caPem: Buffer.from(secret.data?.["ca.crt"] ?? "", "base64").toString("utf8"),
    variables: {
      KUBERNETES_LOAD_CONFIG: "true",
      KUBECONFIG: local.kubeconfigPath,
      TEST_EXECUTION_PORT: edge.port,
      EDGE_ADDRESS: `127.0.0.1:${edge.port}`,
      TESTSTACK_ACCESS: "proxy",
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function readManifests(): Promise<Manifest[]> {
  const files = ["base/namespaces.yaml", "edge/ingress-nginx/edge.yaml", "templates/simulator/teststack.yaml"];
  const texts = await Promise.all(files.map((file) => readFile(join(MANIFESTS, file), "utf8")));
  const manifests = texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest));
  for (const manifest of manifests) {
    if (manifest.kind === "Ingress") setHost(manifest as V1Ingress);
    if (manifest.kind === "StatefulSet") openControl((manifest as V1StatefulSet).spec?.template.spec?.containers);
  }
  return [...manifests, await readSpec()];
}

/** The ConfigMap that kustomize makes of the example `teststack.yaml`. */
async function readSpec(): Promise<Manifest> {
  const spec = parse(await readFile(join(MANIFESTS, "templates/generated/teststack.yaml"), "utf8"));
  openControl(spec.containers);
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "teststack", namespace: "teststack-templates" },
    data: { "teststack.yaml": stringify(spec) },
  } as Manifest;
}

function setHost({ spec }: V1Ingress): void {
  for (const tls of spec?.tls ?? []) tls.hosts = ["localhost"];
  for (const rule of spec?.rules ?? []) rule.host = "localhost";
}

function openControl(containers: V1Container[] = []): void {
  for (const container of containers) {
    container.env?.push({ name: "CONTROL_PORT", value: String(CONTROL_PORT) });
  }
}
