import {
  AppsV1Api,
  CoreV1Api,
  HttpMethod,
  KubeConfig,
  NetworkingV1Api,
  RequestContext,
  VersionApi,
} from "@kubernetes/client-node";
import type { Dispatcher } from "undici";

export interface ClusterOptions {
  /** A kubeconfig file; left out, what `kubectl` and Pods use by default: `KUBECONFIG`, `~/.kube/config`, the service account. */
  kubeconfig?: string;
  /** Limit of each call, seconds. */
  timeoutSeconds?: number;
  /** Told of every call, for counting. */
  onRequest?: (method: string) => void;
}

/** A connection to one Kubernetes API server: the API groups that we use, on kept connections and with time limits. */
export interface Cluster extends AsyncDisposable {
  readonly config: KubeConfig;
  readonly apps: AppsV1Api;
  readonly core: CoreV1Api;
  readonly networking: NetworkingV1Api;
  /** Base URL of the API server. */
  readonly server: string;
  /** Resolves when the API server answers. */
  version(): Promise<unknown>;
  /** Credentials for a request of one's own: for what the typed API would hold in memory whole. */
  authorise(): Promise<{ dispatcher: Dispatcher | undefined; headers: Record<string, string> }>;
}

/**
 * Opens a connection; nothing is sent before the first call.
 *
 * @throws {Error} when the kubeconfig cannot be read or names no cluster
 */
export function connectCluster(options: ClusterOptions = {}): Cluster {
  const config = new KeepAliveKubeConfig(options);
  if (options.kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(options.kubeconfig);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error("the kubeconfig names no current cluster");
  return {
    config,
    server,
    apps: config.makeApiClient(AppsV1Api),
    core: config.makeApiClient(CoreV1Api),
    networking: config.makeApiClient(NetworkingV1Api),
    version: () => config.makeApiClient(VersionApi).getCode(),
    authorise: () => config.authorise(),
    [Symbol.asyncDispose]: () => config.close(),
  };
}

/**
 * The client library opens a TLS connection for every call and sets no time limit; here all calls share one
 * dispatcher, which keeps its connections, and none waits for ever.
 */
class KeepAliveKubeConfig extends KubeConfig {
  readonly #timeoutMs: number;
  readonly #onRequest: (method: string) => void;
  #dispatcher: Dispatcher | undefined;

  constructor(options: ClusterOptions) {
    super();
    this.#timeoutMs = (options.timeoutSeconds ?? 15) * 1000;
    this.#onRequest = options.onRequest ?? (() => {});
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    this.#dispatcher ??= context.getDispatcher();
    if (this.#dispatcher !== undefined) context.setDispatcher(this.#dispatcher);
    if (context.getSignal() === undefined) context.setSignal(AbortSignal.timeout(this.#timeoutMs));
    this.#onRequest(context.getHttpMethod());
  }

  async authorise(): Promise<{ dispatcher: Dispatcher | undefined; headers: Record<string, string> }> {
    const context = new RequestContext(this.getCurrentCluster()?.server ?? "", HttpMethod.GET);
    await this.applySecurityAuthentication(context);
    return { dispatcher: this.#dispatcher, headers: context.getHeaders() };
  }

  async close(): Promise<void> {
    await this.#dispatcher?.destroy();
  }
}
