import { isDeepStrictEqual } from "node:util";
import type { V1Ingress } from "@kubernetes/client-node";
import type { ClusterApi, Stored } from "../cluster-api.ts";
import type { Logger } from "../logger.ts";

/** Tells in each Ingress's `status.loadBalancer` where the edge is reached. */
export class IngressStatus {
  readonly #cluster: ClusterApi;
  readonly #logger: Logger;
  readonly #wanted: object;
  /** Told once each; a status that someone else changes is theirs. */
  readonly #told = new Set<string>();

  constructor(cluster: ClusterApi, { ip, port }: { ip: string; port: number }, logger: Logger) {
    this.#cluster = cluster;
    this.#logger = logger;
    this.#wanted = { ingress: [{ ip, ports: [{ port, protocol: "TCP" }] }] };
  }

  publish(ingresses: readonly Stored<V1Ingress>[]): void {
    for (const { metadata, status } of ingresses) {
      const { uid = "", namespace = "", name = "" } = metadata;
      if (this.#told.has(uid)) continue;
      this.#told.add(uid);
      if (isDeepStrictEqual(status?.loadBalancer, this.#wanted)) continue;
      this.#cluster
        .patch({ resource: "ingresses", namespace, name }, { status: { loadBalancer: this.#wanted } }, "status")
        .catch((error: unknown) =>
          this.#logger.info({ namespace, name, error }, "an Ingress's status was not written"),
        );
    }
  }
}
