import type { ActionFailure } from "./container-action.ts";
import type { Container, Probe } from "./pod-model.ts";
import { Prober } from "./prober.ts";

export type ProbeKind = "Startup" | "Liveness" | "Readiness";

export interface ContainerProbesOptions {
  container: Container;
  attempt: (probe: Probe, timeoutSeconds: number) => Promise<ActionFailure>;
  onStarted: () => void;
  onReadiness: (isReady: boolean) => void;
  /** A startup or liveness probe has failed for good: the container is to be ended. */
  onDead: (kind: ProbeKind, probe: Probe) => void;
  onFailure: (kind: ProbeKind, why: string) => void;
}

/** The probes of one running instance of a container: the startup probe first, the others once it has succeeded. */
export class ContainerProbes implements Disposable {
  readonly #options: ContainerProbesOptions;
  readonly #probers: Prober[] = [];

  constructor(options: ContainerProbesOptions) {
    this.#options = options;
  }

  /** Begins; an instance that is started already has its startup probe behind it. */
  start(isStarted: boolean): void {
    const { startupProbe } = this.#options.container;
    if (startupProbe === undefined || isStarted) this.#watch();
    else this.#probe("Startup", startupProbe);
  }

  [Symbol.dispose](): void {
    for (const prober of this.#probers.splice(0)) prober[Symbol.dispose]();
  }

  #watch(): void {
    const { livenessProbe, readinessProbe } = this.#options.container;
    if (livenessProbe !== undefined) this.#probe("Liveness", livenessProbe);
    if (readinessProbe !== undefined) this.#probe("Readiness", readinessProbe);
  }

  #probe(kind: ProbeKind, probe: Probe): void {
    const { attempt, onFailure } = this.#options;
    const prober = new Prober({
      probe,
      attempt: (timeoutSeconds) => attempt(probe, timeoutSeconds),
      onFailure: (why) => onFailure(kind, why),
      onOutcome: (isSuccess) => this.#conclude(kind, probe, isSuccess),
      isCatchingUp: kind !== "Liveness",
    });
    this.#probers.push(prober);
  }

  #conclude(kind: ProbeKind, probe: Probe, isSuccess: boolean): void {
    if (kind === "Readiness") {
      this.#options.onReadiness(isSuccess);
    } else if (!isSuccess) {
      this[Symbol.dispose]();
      this.#options.onDead(kind, probe);
    } else if (kind === "Startup") {
      this[Symbol.dispose]();
      this.#options.onStarted();
      this.#watch();
    }
  }
}
