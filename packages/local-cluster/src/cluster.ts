import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startApiServer } from "./api/api-server.ts";
import { loadCredentials, writeKubeconfig } from "./api/credentials.ts";
import type { NodeApi } from "./cluster-api.ts";
import { startControllers } from "./controllers/index.ts";
import { startEdge } from "./edge/edge.ts";
import { type Logger, silentLogger } from "./logger.ts";
import type { Images } from "./node-agent/image.ts";
import { startNodeAgent } from "./node-agent/node-agent.ts";
import { createInProcessApi } from "./registry/in-process-api.ts";
import { Registry } from "./registry/registry.ts";
import { Store } from "./store/store.ts";

const NODE_NAME = "local";
const LOOPBACK = "127.0.0.1";

export interface LocalClusterOptions {
  /** Holds objects, credentials, logs and volumes; made when missing, kept when the cluster stops. One cluster at a time. */
  dataDir: string;
  /** Address to listen on. */
  host?: string;
  /** A free one is taken when left out. */
  apiPort?: number;
  /** A free one is taken when left out. */
  edgePort?: number;
  /** Image name → folder that is its root. */
  images?: Images;
  /** Whether each Pod gets an address of its own, or ports at the node's; chosen by what the machine can do when left out. */
  podNetwork?: "addresses" | "ports";
  logger?: Logger;
}

export interface LocalCluster extends AsyncDisposable {
  readonly kubeconfigPath: string;
  readonly apiUrl: string;
  readonly edgeUrl: string;
}

/**
 * Starts Kubernetes in this process: API server, controllers, a node that runs Pods as processes, and the mTLS edge.
 * What an earlier cluster on the same folder kept is there again, Pods left running included.
 *
 * @throws {Error} when a port is taken or another cluster runs on the folder
 */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { dataDir, host = LOOPBACK, images = {}, podNetwork, logger = silentLogger } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  await using started = new AsyncDisposableStack();
  const registry = new Registry(started.use(new Store(join(dataDir, "cluster.db"))));
  registry.createBuiltInNamespaces();
  const cluster = createInProcessApi(registry);
  let node: NodeApi | undefined;
  const credentials = await loadCredentials(dataDir, host);
  const listening = { registry, host, port: options.apiPort ?? 0, credentials, findNode: () => node, logger };
  const { url: apiUrl } = started.use(await startApiServer(listening));
  const kubeconfigPath = join(dataDir, "kubeconfig");
  writeKubeconfig(kubeconfigPath, apiUrl, credentials);
  started.use(startControllers({ cluster, logger }));
  node = started.use(
    await startNodeAgent({
      cluster,
      dataDir: join(dataDir, "node"),
      nodeName: NODE_NAME,
      images,
      logger,
      ...(podNetwork !== undefined && { podNetwork }),
    }),
  );
  const edge = started.use(await startEdge({ cluster, host, port: options.edgePort ?? 0, logger }));
  const owned = started.move();
  return { kubeconfigPath, apiUrl, edgeUrl: edge.url, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
