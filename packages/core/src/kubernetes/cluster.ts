import { type SpawnOptions, spawn } from "node:child_process";
import { delimiter } from "node:path";
import {
  type ApiConstructor,
  type ApiType,
  AppsV1Api,
  CoreV1Api,
  createConfiguration,
  HttpMethod,
  KubeConfig,
  NetworkingV1Api,
  RequestContext,
  type ResponseContext,
  ServerConfiguration,
  VersionApi,
} from "@kubernetes/client-node";
import type { Dispatcher } from "undici";

export interface ClusterOptions {
  /** A kubeconfig file, or several as in `KUBECONFIG`; left out, what `kubectl` and Pods use by default: `KUBECONFIG`, `~/.kube/config`, the service account. */
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

/** Credentials that are refused, or not to be had, are read anew at most this often. */
const RENEW_PAUSE_MS = 5_000;

/**
 * The client library opens a TLS connection for every call and sets no time limit; here all calls share one
 * dispatcher, which keeps its connections, and none waits for ever. The library also reads the kubeconfig once and keeps a
 * token until it says that it has expired; here all is read anew, and a plugin asked anew, when the server refuses it. And
 * it waits for a plugin for ever; here that is ended.
 */
class KeepAliveKubeConfig extends KubeConfig {
  readonly #options: ClusterOptions;
  #credentials: Credentials;
  #renewedAt = 0;

  constructor(options: ClusterOptions) {
    super();
    this.#options = options;
    load(this, options);
    this.#credentials = readCredentials(options);
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    const { timeoutSeconds = 15, onRequest } = this.#options;
    const credentials = this.#credentials;
    try {
      await within(timeoutSeconds, credentials.config.applySecurityAuthentication(context));
    } catch (error) {
      this.#renew();
      throw error;
    }
    credentials.dispatcher ??= context.getDispatcher();
    if (credentials.dispatcher !== undefined) context.setDispatcher(credentials.dispatcher);
    if (context.getSignal() === undefined) context.setSignal(AbortSignal.timeout(timeoutSeconds * 1000));
    onRequest?.(context.getHttpMethod());
  }

  override makeApiClient<TApi extends ApiType>(api: ApiConstructor<TApi>): TApi {
    const baseServer = new ServerConfiguration(this.getCurrentCluster()?.server ?? "", {});
    const post = async (answer: ResponseContext): Promise<ResponseContext> => {
      if (answer.httpStatusCode === 401) this.#renew();
      return answer;
    };
    const promiseMiddleware = [{ pre: async (context: RequestContext) => context, post }];
    return new api(createConfiguration({ baseServer, authMethods: { default: this }, promiseMiddleware }));
  }

  async authorise(): Promise<{ dispatcher: Dispatcher | undefined; headers: Record<string, string> }> {
    const context = new RequestContext(this.getCurrentCluster()?.server ?? "", HttpMethod.GET);
    await this.applySecurityAuthentication(context);
    return { dispatcher: context.getDispatcher(), headers: context.getHeaders() };
  }

  async close(): Promise<void> {
    await this.#credentials.dispatcher?.destroy();
  }

  #renew(): void {
    if (performance.now() - this.#renewedAt < RENEW_PAUSE_MS) return;
    this.#renewedAt = performance.now();
    try {
      const old = this.#credentials;
      this.#credentials = readCredentials(this.#options);
      // Ends when what is under way has ended.
      void old.dispatcher?.close();
    } catch {
      // A file that is just being written: what was refused is refused once more.
    }
  }
}

interface Credentials {
  config: KubeConfig;
  dispatcher?: Dispatcher | undefined;
}

function readCredentials(options: ClusterOptions): Credentials {
  const config = new Http1KubeConfig();
  limitPlugins(config);
  load(config, options);
  return { config };
}

/** A plugin that has not told the credentials by then is ended, seconds. */
const PLUGIN_SECONDS = 10;

/** The library starts plugins by a function of its own, which it lets nobody set by its types. */
function limitPlugins(config: KubeConfig): void {
  const { authenticators } = config as unknown as { authenticators: { execFn?: typeof spawn }[] };
  const limits = { timeout: PLUGIN_SECONDS * 1000, killSignal: "SIGKILL" } as const;
  const start = (command: string, args: string[], options: SpawnOptions) =>
    spawn(command, args, { ...options, ...limits });
  for (const each of authenticators) if (each.execFn !== undefined) each.execFn = start as typeof spawn;
}

async function within(seconds: number, promise: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no credentials within ${seconds} s`)), seconds * 1000);
  await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

function load(config: KubeConfig, { kubeconfig }: ClusterOptions): void {
  if (kubeconfig === undefined) config.loadFromDefault();
  else
    for (const file of kubeconfig.split(delimiter).filter((path) => path !== ""))
      config.mergeConfig(readKubeconfig(file));
}

function readKubeconfig(file: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(file);
  return config;
}

/** An option of the connector behind it that the library does not name. */
const HTTP1: object = { allowH2: false };

/**
 * HTTP/2 would put all calls and watches on one connection, and keep it when its packets are lost: for a quarter of an hour
 * none would be answered. With HTTP/1.1 a call that is given up takes its connection with it.
 */
class Http1KubeConfig extends KubeConfig {
  override createDispatcherOptions(
    ...input: Parameters<KubeConfig["createDispatcherOptions"]>
  ): ReturnType<KubeConfig["createDispatcherOptions"]> {
    const options = super.createDispatcherOptions(...input);
    if (options.type === "none") return { type: "agent", connect: { ...HTTP1 } };
    return options.type === "agent" ? { ...options, connect: { ...options.connect, ...HTTP1 } } : options;
  }
}
