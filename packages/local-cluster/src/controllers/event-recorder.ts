import { randomBytes } from "node:crypto";
import type { ClusterApi, KubernetesObject } from "../cluster-api.ts";
import type { Logger } from "../logger.ts";
import { timestamp } from "../registry/metadata.ts";

/** What happened to an object. */
export interface Happening {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

/** Events of different content that are remembered, so as to count the next of the same. */
const REMEMBERED = 1000;

/** Writes Events in the name of a component. One that happens again to the same object raises the count of its first. */
export class EventRecorder {
  readonly #cluster: ClusterApi;
  readonly #component: string;
  readonly #now: () => Date;
  readonly #logger: Logger;
  readonly #known = new Map<string, { name: string; count: number }>();

  constructor(deps: { cluster: ClusterApi; now: () => Date; logger: Logger }, component: string) {
    this.#cluster = deps.cluster;
    this.#component = component;
    this.#now = deps.now;
    this.#logger = deps.logger;
  }

  /** An Event that cannot be written (its namespace is going, say) is a line in the log and no more. */
  async record(about: KubernetesObject, happening: Happening): Promise<void> {
    await this.#write(about, happening).catch((error: unknown) =>
      this.#logger.info({ happening, error }, "an Event was not written"),
    );
  }

  async #write(about: KubernetesObject, happening: Happening): Promise<void> {
    const { namespace = "default", uid } = about.metadata;
    const lastTimestamp = timestamp(this.#now());
    const key = JSON.stringify([uid, happening]);
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.count += 1;
      const { name, count } = known;
      await this.#cluster.patch({ resource: "events", namespace, name }, { count, lastTimestamp });
      return;
    }
    const name = `${about.metadata.name}.${randomBytes(8).toString("hex")}`;
    await this.#cluster.create("events", this.#build(about, happening, { name, namespace, at: lastTimestamp }));
    this.#known.set(key, { name, count: 1 });
    const [oldest] = this.#known.keys();
    if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
  }

  #build(
    { apiVersion, kind, metadata }: KubernetesObject,
    happening: Happening,
    { name, namespace, at }: { name: string; namespace: string; at: string },
  ): object {
    const { name: subject, uid, resourceVersion, namespace: home } = metadata;
    const component = this.#component;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: { apiVersion, kind, namespace: home, name: subject, uid, resourceVersion },
      ...happening,
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: { component },
      reportingComponent: component,
    };
  }
}
