import { randomBytes } from "node:crypto";
import type { ClusterApi } from "../cluster-api.ts";
import type { Logger } from "../logger.ts";
import type { Pod } from "./pod-model.ts";
import { toWireTime } from "./wire-time.ts";

/** What happened to a Pod. */
export interface PodEvent {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
  /** The container it happened to: `spec.containers{name}`. */
  fieldPath?: string;
}

interface Known {
  name: string;
  count: number;
}

export interface EventRecorderDeps {
  cluster: ClusterApi;
  nodeName: string;
  now: () => Date;
  logger: Logger;
}

/** Writes a Pod's Events in their order; one that happens again raises the count of its first. */
export class EventRecorder {
  readonly #deps: EventRecorderDeps;
  readonly #pod: Pod;
  readonly #known = new Map<string, Known>();
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: EventRecorderDeps, pod: Pod) {
    this.#deps = deps;
    this.#pod = pod;
  }

  /** Returns at once; an Event that cannot be written is a line in the log and no more. */
  record(event: PodEvent): void {
    const at = this.#deps.now();
    this.#writing = this.#writing
      .then(() => this.#write(event, at))
      .catch((error: unknown) => this.#deps.logger.info({ event, error }, "an Event was not written"));
  }

  /** Waits until all that was recorded is written. */
  flush(): Promise<void> {
    return this.#writing;
  }

  async #write(event: PodEvent, at: Date): Promise<void> {
    const key = JSON.stringify(event);
    const { namespace = "" } = this.#pod.metadata;
    const lastTimestamp = toWireTime(at);
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.count += 1;
      const { name, count } = known;
      await this.#deps.cluster.patch({ resource: "events", namespace, name }, { count, lastTimestamp });
      return;
    }
    const name = `${this.#pod.metadata.name}.${randomBytes(8).toString("hex")}`;
    await this.#deps.cluster.create("events", this.#build(event, { name, namespace }, lastTimestamp));
    this.#known.set(key, { name, count: 1 });
  }

  #build(event: PodEvent, metadata: { name: string; namespace: string }, timestamp: string): object {
    const { type, reason, message, fieldPath } = event;
    const { name, namespace, uid, resourceVersion } = this.#pod.metadata;
    const involved = { apiVersion: "v1", kind: "Pod", name, namespace, uid, resourceVersion };
    const { nodeName } = this.#deps;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata,
      involvedObject: { ...involved, ...(fieldPath !== undefined && { fieldPath }) },
      ...{ type, reason, message, count: 1, firstTimestamp: timestamp, lastTimestamp: timestamp },
      source: { component: "kubelet", host: nodeName },
      reportingComponent: "kubelet",
      reportingInstance: nodeName,
    };
  }
}
