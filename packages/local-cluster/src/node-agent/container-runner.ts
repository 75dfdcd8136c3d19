import { randomUUID } from "node:crypto";
import { type ContainerContext, getEnvironment, getImage } from "./container-context.ts";
import { ContainerInstance } from "./container-instance.ts";
import type { PodEvent } from "./event-recorder.ts";
import { buildCommand, type Image, StartError, workingDirectory } from "./image.ts";
import { type Container, type ContainerStatus, isSidecar, type Terminated } from "./pod-model.ts";
import { findEnd } from "./pod-plan.ts";
import type { OwnedProcess, ProcessOwner } from "./process-registry.ts";
import { type BackoffTimes, RestartBackoff } from "./restart-backoff.ts";
import { describeCrashLoop, describeStartFailure, type Waiting } from "./waiting.ts";
import { toWireTime } from "./wire-time.ts";

const RETRY_SOON_MS = 1000;
const MAX_MESSAGE_BYTES = 2048;
const EPOCH = "1970-01-01T00:00:00Z";

export interface ContainerRunnerOptions {
  context: ContainerContext;
  container: Container;
  /** `initContainers` or `containers`. */
  isInit: boolean;
  backoff: BackoffTimes;
  /** What the cluster knows of the container from before. */
  status: ContainerStatus | undefined;
  /** Hears of each change of the status, and when a wait is over. */
  onChange: () => void;
}

/** A time before which a container is not started again, and what is told meanwhile. */
interface Wait {
  until: number;
  timer: NodeJS.Timeout;
  told: Waiting | undefined;
}

/** One container of a Pod: starts its instances, and keeps its status as Kubernetes tells it. */
export class ContainerRunner {
  readonly #options: ContainerRunnerOptions;
  readonly #backoff: RestartBackoff;
  readonly #isOneShot: boolean;
  readonly #unstarted: ContainerStatus["state"];
  #status: ContainerStatus;
  #instance: ContainerInstance | undefined;
  #wait: Wait | undefined;

  constructor(options: ContainerRunnerOptions) {
    const { container, status, isInit, context } = options;
    this.#options = options;
    this.#backoff = new RestartBackoff(options.backoff);
    this.#isOneShot = isInit && !isSidecar(container);
    const isHeldUp = !isInit && (context.pod().spec?.initContainers ?? []).length > 0;
    this.#unstarted = { waiting: { reason: isHeldUp ? "PodInitializing" : "ContainerCreating" } };
    const { name, image = "" } = container;
    const unseen = { name, image, imageID: "", ready: false, started: false, restartCount: 0, lastState: {} };
    this.#status = status ?? { ...unseen, state: this.#unstarted };
  }

  get status(): ContainerStatus {
    return this.#status;
  }

  get isRunning(): boolean {
    return this.#instance !== undefined;
  }

  /** Starts a new instance, unless one runs or its back-off is not over; failure shows in the status. */
  async start(): Promise<void> {
    const { context, container } = this.#options;
    if (this.#instance !== undefined || this.#isPutOff()) return;
    try {
      const image = getImage(context, container);
      this.#begin(image, await getEnvironment(context, container));
    } catch (error) {
      const { first, again } = describeStartFailure(error, container);
      const before = this.#status.state?.waiting?.reason;
      const told = again !== undefined && (before === first.reason || before === again.reason) ? again : first;
      this.#tell(told);
      this.#set({ started: false, ready: false });
      const waitMs = Math.max(this.#options.backoff.initialMs, this.#backoff.next(0));
      this.#putOff(again === undefined ? RETRY_SOON_MS : waitMs, undefined);
    }
  }

  /** Goes on with a process that an earlier agent started. */
  adopt(process: OwnedProcess): void {
    const { containerID, restartCount, startedAt } = process.owner;
    const isKnown = this.#status.containerID === containerID && this.#status.state?.running !== undefined;
    if (!isKnown) this.#set({ containerID, restartCount, ...this.#runningSince(startedAt) });
    this.#watch(process);
  }

  /** Tells of an instance that ran when the agent was last there, and is gone. */
  lose(): boolean {
    const isLost = this.#instance === undefined && this.#status.state?.running !== undefined;
    if (isLost) this.#conclude(undefined);
    return isLost;
  }

  /** Makes the container one that has yet to be started, though it remembers how it last ended. */
  reset(): void {
    const terminated = findEnd(this.#status);
    const lastState = terminated === undefined ? {} : { terminated };
    this.#set({ state: this.#unstarted, lastState, started: false, ready: false });
    clearTimeout(this.#wait?.timer);
    this.#wait = undefined;
  }

  /** Ends the instance that runs, if any; it is killed at that time at the latest. */
  stop(killAt: number): void {
    this.#instance?.stop(killAt);
  }

  /** Forgets the process, which goes on as it is, and all that is planned. */
  release(): void {
    this.#instance?.release();
    clearTimeout(this.#wait?.timer);
  }

  async limitLog(): Promise<void> {
    if (this.isRunning) await this.#options.context.logs.limit(this.#status.name, this.#status.restartCount);
  }

  record(type: PodEvent["type"], reason: string, message: string): void {
    const fieldPath = `spec.${this.#options.isInit ? "initContainers" : "containers"}{${this.#status.name}}`;
    this.#options.context.events.record({ type, reason, message, fieldPath });
  }

  #begin(image: Image, env: Record<string, string>): void {
    const { context, container } = this.#options;
    const { name, image: imageName = "" } = container;
    const containerID = `local://${randomUUID()}`;
    const restartCount = this.#status.containerID === undefined ? 0 : this.#status.restartCount + 1;
    const startedAt = toWireTime(context.now());
    const podUid = context.pod().metadata.uid ?? "";
    const owner: ProcessOwner = { podUid, container: name, containerID, role: "container", startedAt, restartCount };
    this.record("Normal", "Pulled", `Container image "${imageName}" already present on machine`);
    this.#set({ containerID, imageID: `local://${image.folder}`, restartCount, ...this.#runningSince(startedAt) });
    try {
      const argv = buildCommand(image, container, env);
      const cwd = workingDirectory(image, container);
      const launch = (output: number): OwnedProcess => context.registry.launch({ argv, cwd, env, output }, owner);
      this.#watch(context.logs.open(name, restartCount, launch));
      this.record("Normal", "Created", `Created container: ${name}`);
      this.record("Normal", "Started", `Started container ${name}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.record("Warning", "Failed", `Error: ${message}`);
      const reason = error instanceof StartError ? "StartError" : "ContainerCannotRun";
      this.#end({ exitCode: 128, reason, message, startedAt: EPOCH }, 0);
    }
  }

  #runningSince(startedAt: string): Partial<ContainerStatus> {
    const { startupProbe, readinessProbe } = this.#options.container;
    const terminated = findEnd(this.#status);
    const started = startupProbe === undefined;
    const ready = started && readinessProbe === undefined && !this.#isOneShot;
    const lastState = terminated === undefined ? {} : { terminated };
    return { started, ready, lastState, state: { running: { startedAt } } };
  }

  #watch(process: OwnedProcess): void {
    const { context, container, onChange } = this.#options;
    const change = (part: Partial<ContainerStatus>): void => {
      this.#set(part);
      onChange();
    };
    this.#instance = new ContainerInstance({
      ...{ context, container, process },
      isStarted: this.#status.started === true,
      record: (...event) => this.record(...event),
      onStarted: () => change({ started: true, ready: container.readinessProbe === undefined && !this.#isOneShot }),
      onReadiness: (ready) => change({ ready }),
      onEnd: (code) => this.#conclude(code),
    });
  }

  #conclude(code: number | undefined): void {
    this.#instance = undefined;
    const startedAt = this.#status.state?.running?.startedAt ?? EPOCH;
    const ranMs = this.#options.context.now().getTime() - Date.parse(startedAt);
    const message = "The container's process has ended without anybody there to learn how";
    if (code === undefined) this.#end({ exitCode: 137, reason: "ContainerStatusUnknown", message, startedAt }, ranMs);
    else if (code === 0) this.#end({ exitCode: 0, reason: "Completed", startedAt }, ranMs);
    else this.#end({ exitCode: code, reason: "Error", startedAt, ...this.#lastWords() }, ranMs);
  }

  #lastWords(): { message?: string } {
    const { container, context } = this.#options;
    if (container.terminationMessagePolicy !== "FallbackToLogsOnError") return {};
    return { message: context.logs.tail(container.name, this.#status.restartCount, MAX_MESSAGE_BYTES) };
  }

  #end(end: Terminated, ranMs: number): void {
    const { context, container, onChange } = this.#options;
    const { containerID } = this.#status;
    const terminated = {
      ...end,
      finishedAt: toWireTime(context.now()),
      ...(containerID !== undefined && { containerID }),
    };
    this.#set({ state: { terminated }, started: false, ready: this.#isOneShot && end.exitCode === 0 });
    const { name, namespace, uid } = context.pod().metadata;
    const waitMs = this.#backoff.next(ranMs);
    this.#putOff(waitMs, describeCrashLoop(container.name, `${name}_${namespace}(${uid})`, waitMs));
    onChange();
  }

  #putOff(waitMs: number, told: Wait["told"]): void {
    clearTimeout(this.#wait?.timer);
    const timer = setTimeout(() => this.#options.onChange(), waitMs).unref();
    this.#wait = { until: performance.now() + waitMs, timer, told };
  }

  /** Whether the next start has to wait still; then the status says so. */
  #isPutOff(): boolean {
    // A timer may be a little early.
    if (this.#wait === undefined || performance.now() >= this.#wait.until - 1) return false;
    const { told } = this.#wait;
    if (told !== undefined && this.#status.state?.waiting?.reason !== told.reason) this.#tell(told);
    return true;
  }

  #tell({ reason, message, events }: Waiting): void {
    const terminated = findEnd(this.#status);
    this.#set({
      state: { waiting: { reason, message } },
      ...(terminated !== undefined && { lastState: { terminated } }),
    });
    for (const event of events) this.record(event.type, event.reason, event.message);
  }

  #set(part: Partial<ContainerStatus>): void {
    this.#status = { ...this.#status, ...part };
  }
}
