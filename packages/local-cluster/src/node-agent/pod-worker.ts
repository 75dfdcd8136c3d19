import { isDeepStrictEqual } from "node:util";
import type { ClusterApi, ObjectRef } from "../cluster-api.ts";
import type { Logger } from "../logger.ts";
import { StatusError } from "../status-error.ts";
import { EventRecorder } from "./event-recorder.ts";
import type { Images } from "./image.ts";
import { LogFiles } from "./log-files.ts";
import { PodContainers } from "./pod-containers.ts";
import { PodFolder } from "./pod-folder.ts";
import type { ContainerStatus, Pod, PodStatus } from "./pod-model.ts";
import { NoAddressError, type PodAddress, type PodNetwork } from "./pod-network.ts";
import { PORTS_ANNOTATION } from "./pod-port.ts";
import { buildPodStatus, isFinal } from "./pod-status.ts";
import type { OwnedProcess, ProcessRegistry } from "./process-registry.ts";
import type { BackoffTimes } from "./restart-backoff.ts";
import { StepLoop } from "./step-loop.ts";
import { MountError, makeVolumes } from "./volumes.ts";
import { toWireTime } from "./wire-time.ts";

const DEFAULT_GRACE_SECONDS = 30;
const PREPARE_RETRY_MS = 900;

export interface PodWorkerDeps {
  cluster: ClusterApi;
  registry: ProcessRegistry;
  network: PodNetwork;
  images: Images;
  nodeName: string;
  hostIP: string;
  backoff: BackoffTimes;
  logger: Logger;
  now: () => Date;
  /** Holds a folder for each Pod. */
  podsFolder: string;
}

/** Why all processes of a Pod are ended: it is deleted, it is gone from the cluster, or the agent stops. */
type EndingCause = "deleted" | "gone" | "stopped";

/**
 * Makes one Pod's processes what the cluster wants them to be, and tells the cluster what they are.
 * All of it happens in steps, one at a time, each from the state of the moment; whatever changes asks for another step.
 */
export class PodWorker {
  readonly #deps: PodWorkerDeps;
  readonly #folder: PodFolder;
  readonly #logs: LogFiles;
  readonly #events: EventRecorder;
  readonly #containers: PodContainers;
  readonly #startTime: string;
  readonly #steps: StepLoop;
  readonly #ended = Promise.withResolvers<void>();
  #pod: Pod;
  #address: PodAddress | undefined;
  #isPrepared: boolean = false;
  /** By the clock of `performance.now()`: what failed is not tried again at each step. */
  #prepareAfter = 0;
  /** Nothing will be started any more. */
  #isOver: boolean;
  /** Had ended before this agent came: there is nothing to tell. */
  readonly #isSettled: boolean;
  #isDone: boolean = false;
  #ending: { killAt: number; cause: EndingCause } | undefined;
  #published: PodStatus | undefined;

  /** `processes` are those of the Pod that an earlier agent left. */
  constructor(deps: PodWorkerDeps, pod: Pod, processes: readonly OwnedProcess[]) {
    const { uid = "" } = pod.metadata;
    this.#deps = deps;
    this.#pod = pod;
    this.#steps = new StepLoop(
      () => this.#step(),
      (error) => deps.logger.warn({ pod: this.#ref(), error }, "a step of a Pod failed and is tried again"),
    );
    this.#folder = new PodFolder(deps.podsFolder, uid);
    this.#logs = new LogFiles(this.#folder.logs);
    this.#events = new EventRecorder(deps, pod);
    this.#startTime = pod.status?.startTime ?? toWireTime(deps.now());
    this.#address = deps.network.find(uid);
    this.#isSettled = isFinal(pod.status?.phase);
    this.#isOver = this.#isSettled;
    const context = {
      ...deps,
      logs: this.#logs,
      events: this.#events,
      volumes: this.#folder.volumes,
      pod: () => this.#podWithPorts(),
      address: () => this.#address ?? { ip: "" },
    };
    this.#containers = new PodContainers(pod, { context, backoff: deps.backoff, onChange: () => this.#steps.ask() });
    if (this.#isSettled) for (const process of processes) process.signal("SIGKILL");
    else this.#containers.restore(processes, !this.#folder.isBegun);
    this.update(pod);
  }

  /** Takes note of what the cluster wants now. */
  update(pod: Pod): void {
    this.#pod = pod;
    // Whoever says that it has ended is believed: nothing leads out of such a phase.
    this.#isOver ||= isFinal(pod.status?.phase);
    const { deletionTimestamp, deletionGracePeriodSeconds = DEFAULT_GRACE_SECONDS } = pod.metadata;
    if (deletionTimestamp !== undefined) this.#end("deleted", deletionGracePeriodSeconds);
    this.#steps.ask();
  }

  /** The Pod is no longer in the cluster: its processes are killed. Returns when nothing is left of it here. */
  vanish(): Promise<void> {
    this.#end("gone", 0);
    return this.#ended.promise;
  }

  /** Ends the Pod's processes because the agent stops; the Pod stays. Returns when they have ended and the cluster knows. */
  stop(maxGraceSeconds: number): Promise<void> {
    const ofPod = this.#pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    this.#end("stopped", Math.min(maxGraceSeconds, ofPod));
    return this.#ended.promise;
  }

  /** Leaves the processes as they are, and does nothing more. */
  async release(): Promise<void> {
    this.#isDone = true;
    await this.#steps.settle();
    this.#containers.release();
    await this.#events.flush();
  }

  findContainer(name: string): ContainerStatus | undefined {
    return this.#containers.find(name);
  }

  logPath(container: string, restartCount: number): string {
    return this.#logs.path(container, restartCount);
  }

  limitLogs(): Promise<void> {
    return this.#containers.limitLogs();
  }

  #end(cause: EndingCause, graceSeconds: number): void {
    const { killAt: before = Number.POSITIVE_INFINITY, cause: known } = this.#ending ?? {};
    const killAt = Math.min(before, Date.now() + graceSeconds * 1000);
    this.#ending = { killAt, cause: known === "gone" ? known : cause };
    this.#steps.ask();
  }

  async #step(): Promise<void> {
    if (this.#isDone) return;
    if (this.#ending === undefined) await this.#advance();
    const ending = this.#ending;
    if (ending?.cause === "gone") this.#containers.kill();
    else if (ending !== undefined) this.#containers.stop(ending.killAt);
    if (ending?.cause !== "gone" && !this.#isSettled) await this.#publish();
    if (ending !== undefined && !this.#containers.isRunning) await this.#finish(ending.cause);
  }

  async #advance(): Promise<void> {
    if (!this.#isOver && (await this.#prepare())) this.#isOver = await this.#containers.advance();
    const grace = this.#pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    if (this.#isOver) this.#containers.stop(Date.now() + grace * 1000);
  }

  /** Gives the Pod what its containers need; tells whether it has it. */
  async #prepare(): Promise<boolean> {
    if (this.#isPrepared) return true;
    if (performance.now() < this.#prepareAfter) return false;
    const { cluster, network } = this.#deps;
    const { initContainers = [], containers = [] } = this.#pod.spec ?? {};
    const ports = [...initContainers, ...containers].flatMap((container) => container.ports ?? []);
    try {
      this.#address ??= await network.assign(
        this.#pod.metadata.uid ?? "",
        ports.map(({ containerPort }) => containerPort),
      );
      await this.#annotatePorts(this.#address);
      await makeVolumes(cluster, this.#pod, this.#folder.volumes);
    } catch (error) {
      const reason =
        error instanceof MountError
          ? "FailedMount"
          : error instanceof NoAddressError
            ? "FailedCreatePodSandBox"
            : undefined;
      if (reason === undefined) throw error;
      this.#events.record({ type: "Warning", reason, message: String((error as Error).message) });
      this.#prepareAfter = performance.now() + PREPARE_RETRY_MS;
      this.#steps.askLater();
      return false;
    }
    this.#folder.markBegun();
    this.#isPrepared = true;
    return true;
  }

  async #annotatePorts({ ports }: PodAddress): Promise<void> {
    if (ports === undefined || this.#pod.metadata.annotations?.[PORTS_ANNOTATION] === JSON.stringify(ports)) return;
    const annotations = { [PORTS_ANNOTATION]: JSON.stringify(ports) };
    await this.#deps.cluster.patch(this.#ref(), { metadata: { uid: this.#pod.metadata.uid, annotations } });
  }

  /** The Pod as it will be once the cluster's word of its ports is back. */
  #podWithPorts(): Pod {
    const { metadata } = this.#pod;
    const { ports } = this.#address ?? {};
    if (ports === undefined) return this.#pod;
    const annotations = { ...metadata.annotations, [PORTS_ANNOTATION]: JSON.stringify(ports) };
    return { ...this.#pod, metadata: { ...metadata, annotations } };
  }

  async #publish(): Promise<void> {
    const status = buildPodStatus({
      ...this.#containers.progress,
      pod: this.#pod,
      told: this.#published,
      isOver: this.#isOver,
      address: this.#address,
      hostIP: this.#deps.hostIP,
      startTime: this.#startTime,
      now: toWireTime(this.#deps.now()),
    });
    const known = this.#published ?? this.#pod.status ?? {};
    if (isContained(status, known)) return;
    await this.#tolerateAbsence(
      this.#deps.cluster.patch(this.#ref(), { metadata: { uid: this.#pod.metadata.uid }, status }, "status"),
    );
    this.#published = status;
  }

  async #finish(cause: EndingCause): Promise<void> {
    const { uid = "" } = this.#pod.metadata;
    if (cause === "deleted") {
      await this.#events.flush();
      const deletion = { gracePeriodSeconds: 0, preconditions: { uid } };
      await this.#tolerateAbsence(this.#deps.cluster.delete(this.#ref(), deletion));
    }
    this.#isDone = true;
    this.#containers.release();
    if (cause === "stopped") {
      this.#folder.markEnded();
    } else {
      this.#folder.remove();
      this.#deps.network.release(uid);
    }
    await this.#events.flush();
    this.#ended.resolve();
  }

  /** A Pod that is gone, or another of the same name, needs nothing told or deleted any more. */
  async #tolerateAbsence(write: Promise<unknown>): Promise<void> {
    await write.catch((error: unknown) => {
      if (!(error instanceof StatusError && (error.code === 404 || error.code === 409))) throw error;
    });
  }

  #ref(): ObjectRef {
    const { namespace = "", name = "" } = this.#pod.metadata;
    return { resource: "pods", namespace, name };
  }
}

/** Whether each of the parts is already the same in the whole. */
function isContained(part: PodStatus, whole: PodStatus): boolean {
  return Object.entries(part).every(([field, value]) => isDeepStrictEqual(value, whole[field as keyof PodStatus]));
}
