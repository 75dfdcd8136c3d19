import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import type { ClusterApi, LogOptions, NodeApi, WatchEvent } from "../cluster-api.ts";
import { type Logger, silentLogger } from "../logger.ts";
import { ObjectCache } from "../object-cache.ts";
import { badRequest } from "../status-error.ts";
import type { Images } from "./image.ts";
import { streamLog } from "./log-stream.ts";
import { registerNode, reportStopped } from "./node-registration.ts";
import type { Pod } from "./pod-model.ts";
import { PodNetwork, type PodNetworkMode } from "./pod-network.ts";
import { PodWorker, type PodWorkerDeps } from "./pod-worker.ts";
import { type OwnedProcess, ProcessRegistry } from "./process-registry.ts";
import type { BackoffTimes } from "./restart-backoff.ts";

const LOG_CHECK_MS = 5000;
const HOST_IP = "127.0.0.1";
const DEFAULT_BACKOFF: BackoffTimes = { initialMs: 1000, maxMs: 10_000 };

export interface NodeAgentOptions {
  cluster: ClusterApi;
  /** Holds logs, volumes and the record of what runs; one agent at a time. */
  dataDir: string;
  nodeName: string;
  images: Images;
  /** Chosen by what the machine can do, and kept, when left out. */
  podNetwork?: PodNetworkMode;
  /** How long a container that keeps ending waits before it is started again. */
  backoff?: BackoffTimes;
  /** What becomes of the processes when the agent stops: ended with this much grace at most, or left to be found again. */
  onStop?: { maxGraceSeconds: number } | "leave";
  logger?: Logger;
  now?: () => Date;
}

/**
 * Runs the Pods that are bound to a node as a kubelet does, with processes in place of containers.
 *
 * Processes that an earlier agent on the same folder left running are taken over; those whose Pods are gone are ended.
 */
export async function startNodeAgent(options: NodeAgentOptions): Promise<NodeApi & AsyncDisposable> {
  const { cluster, nodeName, images, logger = silentLogger, now = () => new Date() } = options;
  const dataDir = resolve(options.dataDir);
  const podsFolder = join(dataDir, "pods");
  mkdirSync(podsFolder, { recursive: true });
  const registry = new ProcessRegistry(join(dataDir, "processes"));
  const left = registry.adopt();
  const network = await PodNetwork.open(dataDir, options.podNetwork);
  const backoff = options.backoff ?? DEFAULT_BACKOFF;
  const common = { cluster, nodeName, images, logger, now };
  const deps = { ...common, registry, network, hostIP: HOST_IP, backoff, podsFolder };
  await registerNode(cluster, deps);
  const pods = await ObjectCache.open<Pod>(cluster, "pods", { fieldSelector: `spec.nodeName=${nodeName}` });
  return new NodeAgent(deps, pods, left, options.onStop ?? { maxGraceSeconds: 5 });
}

class NodeAgent implements NodeApi, AsyncDisposable {
  readonly #deps: PodWorkerDeps;
  readonly #pods: ObjectCache<Pod>;
  readonly #onStop: NonNullable<NodeAgentOptions["onStop"]>;
  readonly #workers = new Map<string, PodWorker>();
  readonly #logCheck: NodeJS.Timeout;
  /** The end of processes that nobody wanted any more. */
  readonly #strays: Promise<unknown>[];

  constructor(
    deps: PodWorkerDeps,
    pods: ObjectCache<Pod>,
    left: readonly OwnedProcess[],
    onStop: NonNullable<NodeAgentOptions["onStop"]>,
  ) {
    this.#deps = deps;
    this.#pods = pods;
    this.#onStop = onStop;
    const known = new Set(pods.values().map(({ metadata }) => metadata.uid ?? ""));
    this.#strays = this.#endStrays(left, known);
    for (const pod of pods.values()) this.#startWorker(pod, left);
    pods.onChange = (pod, type) => this.#hear(pod, type);
    this.#logCheck = setInterval(() => this.#limitLogs(), LOG_CHECK_MS).unref();
  }

  async openLog(pod: { name: string; uid: string }, options: LogOptions): Promise<Readable> {
    const { container, previous = false, follow = false, sinceSeconds, timestamps = false, ...limits } = options;
    if (sinceSeconds !== undefined || timestamps) throw badRequest("this node keeps no times of lines");
    const worker = this.#workers.get(pod.uid);
    const status = worker?.findContainer(container);
    if (worker === undefined || status === undefined) {
      throw badRequest(`container ${container} is not valid for pod ${pod.name}`);
    }
    const { containerID, restartCount, state } = status;
    if (containerID === undefined) {
      const reason = state?.waiting?.reason ?? "ContainerCreating";
      throw badRequest(`container "${container}" in pod "${pod.name}" is waiting to start: ${reason}`);
    }
    if (previous && restartCount === 0) {
      throw badRequest(`previous terminated container "${container}" in pod "${pod.name}" not found`);
    }
    const file = worker.logPath(container, previous ? restartCount - 1 : restartCount);
    if (!existsSync(file)) return Readable.from([]);
    const isWritten = (): boolean => {
      const current = worker.findContainer(container);
      return follow && !previous && current?.containerID === containerID && current.state?.running !== undefined;
    };
    return streamLog(file, { ...limits, isWritten });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { cluster, logger } = this.#deps;
    this.#pods[Symbol.dispose]();
    clearInterval(this.#logCheck);
    const workers = [...this.#workers.values()];
    const onStop = this.#onStop;
    await Promise.all(
      workers.map((worker) => (onStop === "leave" ? worker.release() : worker.stop(onStop.maxGraceSeconds))),
    );
    await Promise.all([...this.#strays, this.#deps.registry.actionsEnded()]);
    await reportStopped(cluster, this.#deps).catch((error: unknown) =>
      logger.info({ error }, "the Node's end was not told"),
    );
  }

  /** Ends processes that nobody wants any more, and forgets what was kept for Pods that are no more. */
  #endStrays(left: readonly OwnedProcess[], known: ReadonlySet<string>): Promise<unknown>[] {
    const { logger, network, podsFolder } = this.#deps;
    const strays = left.filter(({ owner }) => !known.has(owner.podUid) || owner.role === "action");
    for (const { owner, pid, signal } of strays) {
      logger.warn({ pid, owner }, "a process that an earlier agent left, and that nobody wants any more, is ended");
      signal("SIGKILL");
    }
    network.releaseAllBut(known);
    for (const uid of readdirSync(podsFolder)) {
      if (!known.has(uid)) rmSync(join(podsFolder, uid), { recursive: true, force: true });
    }
    return strays.map(({ exited }) => exited);
  }

  #startWorker(pod: Pod, left: readonly OwnedProcess[]): void {
    const { uid = "" } = pod.metadata;
    const processes = left.filter(({ owner }) => owner.podUid === uid && owner.role === "container");
    this.#workers.set(uid, new PodWorker(this.#deps, pod, processes));
  }

  #hear(pod: Pod, type: WatchEvent<Pod>["type"]): void {
    const { uid = "" } = pod.metadata;
    const worker = this.#workers.get(uid);
    if (type === "DELETED") void worker?.vanish().then(() => this.#workers.delete(uid));
    else if (worker === undefined) this.#startWorker(pod, []);
    else worker.update(pod);
  }

  #limitLogs(): void {
    for (const worker of this.#workers.values()) {
      worker.limitLogs().catch((error: unknown) => this.#deps.logger.warn({ error }, "a log was not cut"));
    }
  }
}
