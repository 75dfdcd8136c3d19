import { type ActionContext, runAction } from "./container-action.ts";
import { actionContext, type ContainerContext } from "./container-context.ts";
import { ContainerProbes, type ProbeKind } from "./container-probes.ts";
import type { PodEvent } from "./event-recorder.ts";
import type { Container, Probe } from "./pod-model.ts";
import type { OwnedProcess } from "./process-registry.ts";

const DEFAULT_GRACE_SECONDS = 30;

export interface ContainerInstanceOptions {
  context: ContainerContext;
  container: Container;
  process: OwnedProcess;
  /** The startup probe has succeeded, or there is none. */
  isStarted: boolean;
  record: (type: PodEvent["type"], reason: string, message: string) => void;
  onStarted: () => void;
  onReadiness: (isReady: boolean) => void;
  /** The process has ended; an undefined code is one that could not be known. */
  onEnd: (code: number | undefined) => void;
}

/** One run of a container: its process, probed while it runs and ended with grace. */
export class ContainerInstance {
  readonly #options: ContainerInstanceOptions;
  readonly #probes: ContainerProbes;
  readonly #ended = new AbortController();
  readonly #reach: ActionContext;
  #stopping: Promise<void> | undefined;
  #kill: { at: number; timer: NodeJS.Timeout } | undefined;

  constructor(options: ContainerInstanceOptions) {
    const { context, container, process, isStarted, record } = options;
    this.#options = options;
    this.#reach = actionContext(context, container, process.owner, this.#ended.signal);
    this.#probes = new ContainerProbes({
      ...options,
      attempt: (probe, timeoutSeconds) => runAction(probe, this.#reach, timeoutSeconds),
      onDead: (kind, probe) => this.#end(kind, probe),
      onFailure: (kind, why) => record("Warning", "Unhealthy", `${kind} probe failed: ${why}`),
    });
    this.#probes.start(isStarted);
    void process.exited.then((code) => {
      this.release();
      options.onEnd(code);
    });
  }

  /** Runs `preStop`, then sends SIGTERM, and SIGKILL at that time. Said again, only an earlier time counts. */
  stop(killAt: number): void {
    const { process } = this.#options;
    if (this.#kill === undefined || killAt < this.#kill.at) {
      clearTimeout(this.#kill?.timer);
      this.#kill = { at: killAt, timer: setTimeout(() => process.signal("SIGKILL"), Math.max(0, killAt - Date.now())) };
    }
    this.#stopping ??= this.#terminate(killAt);
  }

  /** Forgets the process, which goes on as it is; probes and hooks under way end. */
  release(): void {
    this.#probes[Symbol.dispose]();
    this.#ended.abort();
    clearTimeout(this.#kill?.timer);
  }

  #end(kind: ProbeKind, probe: Probe): void {
    const { context, container, record } = this.#options;
    const ofPod = context.pod().spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    record("Normal", "Killing", `Container ${container.name} failed ${kind.toLowerCase()} probe, will be restarted`);
    this.stop(Date.now() + (probe.terminationGracePeriodSeconds ?? ofPod) * 1000);
  }

  async #terminate(killAt: number): Promise<void> {
    const { container, process, record } = this.#options;
    this.#probes[Symbol.dispose]();
    const hook = container.lifecycle?.preStop;
    if (hook !== undefined) {
      const failure = await runAction(hook, this.#reach, Math.max(0, killAt - Date.now()) / 1000);
      if (failure !== undefined) record("Warning", "FailedPreStopHook", `PreStopHook failed: ${failure}`);
    }
    process.signal("SIGTERM");
  }
}
