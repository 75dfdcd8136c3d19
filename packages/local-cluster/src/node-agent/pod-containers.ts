import type { ContainerContext } from "./container-context.ts";
import { ContainerRunner } from "./container-runner.ts";
import { type ContainerStatus, isSidecar, type Pod, type PodSpec } from "./pod-model.ts";
import { findEnd, type PodProgress, planContainers } from "./pod-plan.ts";
import type { OwnedProcess } from "./process-registry.ts";
import type { BackoffTimes } from "./restart-backoff.ts";

export interface PodContainersOptions {
  context: ContainerContext;
  backoff: BackoffTimes;
  /** Hears of each change of a container. */
  onChange: () => void;
}

/** All containers of a Pod, started and ended in Kubernetes' order. */
export class PodContainers {
  readonly #spec: PodSpec;
  readonly #runners = new Map<string, ContainerRunner>();
  /** One-shot init containers that are done, since all processes were last started from nothing. */
  readonly #completed = new Set<string>();
  readonly #told = new Set<string>();
  #hasBegun = false;

  constructor(pod: Pod, options: PodContainersOptions) {
    this.#spec = pod.spec ?? { containers: [] };
    const known = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    const { initContainers = [], containers } = this.#spec;
    for (const container of [...initContainers, ...containers]) {
      const status = known.find(({ name }) => name === container.name);
      const isInit = initContainers.includes(container);
      this.#runners.set(container.name, new ContainerRunner({ ...options, container, isInit, status }));
    }
  }

  get progress(): PodProgress {
    return { find: (name) => this.#get(name).status, completed: this.#completed, hasBegun: this.#hasBegun };
  }

  get isRunning(): boolean {
    return this.#all().some((runner) => runner.isRunning);
  }

  find(name: string): ContainerStatus | undefined {
    return this.#runners.get(name)?.status;
  }

  /**
   * Takes up what an earlier agent left: the processes that still run, and the containers that ran and are gone. Where
   * nothing is left of what ran, or all was ended on purpose, all starts again from nothing, init containers too.
   */
  restore(processes: readonly OwnedProcess[], wasEnded: boolean): void {
    for (const process of processes) {
      const runner = this.#runners.get(process.owner.container);
      if (runner === undefined) process.signal("SIGKILL");
      else runner.adopt(process);
    }
    const isAnyLost = this.#all()
      .map((runner) => runner.lose())
      .includes(true);
    if (!this.isRunning && (isAnyLost || wasEnded) && this.#spec.restartPolicy !== "Never") {
      for (const runner of this.#all()) runner.reset();
    } else {
      this.#hasBegun = this.#spec.containers.some(({ name }) => hasRun(this.#get(name).status));
    }
  }

  /** Starts what is to be started now; tells whether nothing will be started any more. */
  async advance(): Promise<boolean> {
    for (const { name } of this.#spec.initContainers ?? []) this.#noteCompletion(name);
    const { start, isOver } = planContainers(this.#spec, this.progress);
    for (const name of start) {
      await this.#get(name).start();
      const isRegular = this.#spec.containers.some((container) => container.name === name);
      if (isRegular && this.#get(name).status.state?.waiting === undefined) this.#hasBegun = true;
    }
    return isOver;
  }

  /** Ends what runs: all at once, but sidecars after the others and one by one. To be called again after each end. */
  stop(killAt: number): void {
    const sidecars = (this.#spec.initContainers ?? []).filter(isSidecar).map(({ name }) => this.#get(name));
    const others = this.#all().filter((runner) => runner.isRunning && !sidecars.includes(runner));
    const lastSidecar = sidecars.filter((runner) => runner.isRunning).at(-1);
    for (const runner of others.length > 0 || lastSidecar === undefined ? others : [lastSidecar]) {
      const { name, containerID = "" } = runner.status;
      if (!this.#told.has(containerID)) runner.record("Normal", "Killing", `Stopping container ${name}`);
      this.#told.add(containerID);
      runner.stop(killAt);
    }
  }

  /** Kills all that runs, at once. */
  kill(): void {
    for (const runner of this.#runners.values()) runner.stop(0);
  }

  /** Forgets the processes, which go on as they are. */
  release(): void {
    for (const runner of this.#runners.values()) runner.release();
  }

  async limitLogs(): Promise<void> {
    for (const runner of this.#runners.values()) await runner.limitLog();
  }

  #noteCompletion(name: string): void {
    if (this.#get(name).status.state?.terminated?.exitCode === 0) this.#completed.add(name);
  }

  #all(): ContainerRunner[] {
    return [...this.#runners.values()];
  }

  #get(name: string): ContainerRunner {
    const runner = this.#runners.get(name);
    if (runner === undefined) throw new Error(`no container ${name}`);
    return runner;
  }
}

function hasRun(status: ContainerStatus): boolean {
  return status.state?.running !== undefined || findEnd(status) !== undefined;
}
