import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { applyManifests, type Cluster, connectCluster, ensurePki } from "@cactus/core/kubernetes";
import type { StandaloneConfig } from "./config.ts";
import { ensureCredentials } from "./credentials.ts";
import { renderKustomization } from "./kustomize.ts";
import { findFreePort, requireFreePort } from "./ports.ts";
import { holdSingleInstance } from "./single-instance.ts";
import { type ProcessSpec, SupervisedProcess } from "./supervised-process.ts";

/** Where everything is: the content of `standalone.json`. */
export interface StandaloneInfo {
  orchestratorUrl: string;
  token: string;
  /** Path of a kubeconfig. */
  kubeconfig: string;
  edgeUrl: string;
  /** PEM of what clients must trust. */
  caCertificate: string;
  databaseUrl: string;
}

export interface Standalone extends AsyncDisposable {
  readonly info: StandaloneInfo;
}

const HOST = "localhost";
const MANIFESTS = fileURLToPath(new URL("../../../infra/kubernetes/overlays/standalone", import.meta.url));
const SIMULATOR = fileURLToPath(new URL("../../../packages/teststack-simulator", import.meta.url));

/** Instances at once: each is a process of 60 to 95 MB here. */
const INSTANCES_MAX = "20";

/** The names that orchestrator and base manifests have by default. */
const PKI = {
  names: {
    caCertificateSecret: "tls-ca-certificate",
    caKeyPairSecret: "tls-ca-cert-key-pair",
    serverSecret: "tls-server-certificate",
  },
  namespaces: { orchestration: "test-orchestration", execution: "test-execution" },
};

/**
 * Starts PostgreSQL, the local cluster and the orchestrator, each a process of its own that is started again when it dies.
 * Resolves when everything is up; disposing stops all, in the opposite order.
 *
 * @throws {Error} when it runs already, a port is taken, or a process does not start; nothing is left running then
 */
export async function startStandalone(config: StandaloneConfig, say: (message: string) => void): Promise<Standalone> {
  await using starting = new AsyncDisposableStack();
  const { home } = config;
  await mkdir(home, { recursive: true });
  starting.use(await holdSingleInstance(home));
  await requireFreePort(config.port, "PORT");
  await requireFreePort(config.edgePort, "EDGE_PORT");
  const credentials = await ensureCredentials(home);

  async function launch<TReady>(spec: LaunchSpec): Promise<TReady> {
    const logFile = join(home, "logs", `${spec.name}.log`);
    const env = { ...config.environment, ...spec.env };
    // Owned before it runs: whatever fails beside it, it is stopped.
    return starting.use(new SupervisedProcess({ ...spec, env, logFile, say })).start<TReady>();
  }

  const [databaseUrl, cluster] = await Promise.all([
    launchPostgres(launch, home, credentials.databasePassword),
    launchCluster(launch, config),
  ]);
  const caCertificate = await furnish(cluster.kubeconfig);
  const orchestrator = await launch<{ url: string }>({
    name: "orchestrator",
    module: "@cactus/orchestrator/main",
    stopSeconds: 30,
    env: {
      ...credentials.environment,
      ORCHESTRATOR_DATABASE_URL: databaseUrl,
      KUBECONFIG: cluster.kubeconfig,
      HTTP_HOST: "127.0.0.1",
      HTTP_PORT: String(config.port),
      TEST_EXECUTION_FQDN: HOST,
      TEST_EXECUTION_PORT: String(config.edgePort),
      EDGE_ADDRESS: `127.0.0.1:${config.edgePort}`,
      TEST_PROCEDURES_DIRECTORY: join(SIMULATOR, "procedures"),
      TESTSTACK_ACCESS: "proxy",
      INSTANCES_MAX: config.environment["INSTANCES_MAX"] || INSTANCES_MAX,
    },
  });
  const info: StandaloneInfo = {
    orchestratorUrl: orchestrator.url,
    token: credentials.token,
    kubeconfig: cluster.kubeconfig,
    edgeUrl: `https://${HOST}:${config.edgePort}`,
    caCertificate,
    databaseUrl,
  };
  await writeFile(join(home, "standalone.json"), `${JSON.stringify(info, null, 2)}\n`, { mode: 0o600 });
  const stack = starting.move();
  return { info, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface LaunchSpec extends Pick<ProcessSpec, "name" | "module" | "args" | "stopSeconds"> {
  env?: Record<string, string>;
}

type Launch = <TReady>(spec: LaunchSpec) => Promise<TReady>;

async function launchPostgres(launch: Launch, home: string, password: string): Promise<string> {
  const { url } = await launch<{ url: string }>({
    name: "postgres",
    module: "@cactus/local-postgres/main",
    args: [join(home, "postgres"), String(await findFreePort())],
    env: { LOCAL_POSTGRES_PASSWORD: password },
    stopSeconds: 15,
  });
  return url;
}

async function launchCluster(launch: Launch, config: StandaloneConfig): Promise<{ kubeconfig: string }> {
  const flags = {
    "data-dir": join(config.home, "cluster"),
    "api-port": await findFreePort(),
    "edge-port": config.edgePort,
    image: `cactus/teststack-simulator=${SIMULATOR}`,
  };
  return launch({
    name: "local-cluster",
    module: "@cactus/local-cluster/main",
    args: Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]),
    stopSeconds: 20,
  });
}

/** Applies the manifests and makes the PKI. Returns the CA certificate that clients must trust. */
async function furnish(kubeconfig: string): Promise<string> {
  await using cluster = connectCluster({ kubeconfig });
  await applyManifests(cluster, await renderKustomization(MANIFESTS));
  await ensurePki(cluster, {
    ...PKI,
    fqdn: HOST,
    ipAddresses: ["127.0.0.1"],
    organisation: "cactus laptop",
    now: new Date(),
  });
  return await readCaCertificate(cluster);
}

async function readCaCertificate(cluster: Cluster): Promise<string> {
  const name = PKI.names.caCertificateSecret;
  const { data } = await cluster.core.readNamespacedSecret({ name, namespace: PKI.namespaces.execution });
  return Buffer.from(data?.["ca.crt"] ?? "", "base64").toString("utf8");
}
