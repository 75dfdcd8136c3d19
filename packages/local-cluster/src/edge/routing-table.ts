import type { V1EndpointSlice, V1Ingress, V1Secret, V1Service } from "@kubernetes/client-node";
import type { ClusterApi, Stored } from "../cluster-api.ts";
import type { Logger } from "../logger.ts";
import { ObjectCache } from "../object-cache.ts";
import { type Backend, type IngressRules, parseIngress } from "./ingress-rules.ts";
import { buildVirtualHosts, findVirtualHost, type VirtualHost } from "./virtual-hosts.ts";

const CLASS_ANNOTATION = "kubernetes.io/ingress.class";

export interface Endpoint {
  address: string;
  port: number;
}

interface Caches {
  ingresses: ObjectCache<Stored<V1Ingress>>;
  secrets: ObjectCache<Stored<V1Secret>>;
  services: ObjectCache<Stored<V1Service>>;
  slices: ObjectCache<Stored<V1EndpointSlice>>;
}

/** Where requests go, as the cluster's Ingresses, Secrets, Services and EndpointSlices say at this moment. */
export class RoutingTable implements Disposable {
  readonly #caches: Caches;
  readonly #classes: readonly string[];
  readonly #logger: Logger;
  /** Objects are frozen and never change, so what one says is read once. */
  readonly #rules = new WeakMap<Stored<V1Ingress>, IngressRules>();
  #hosts: Map<string, VirtualHost> | undefined;
  #telling: NodeJS.Immediate | undefined;
  /** Called once for the changes of one moment. */
  onChange: () => void = () => undefined;

  private constructor(caches: Caches, classes: readonly string[], logger: Logger) {
    this.#caches = caches;
    this.#classes = classes;
    this.#logger = logger;
    caches.ingresses.onChange = () => this.#outdate();
    caches.secrets.onChange = () => this.#outdate();
  }

  /** Reads the cluster; returns when the table holds all of it, so that no host is open for want of its other half. */
  static async open(cluster: ClusterApi, classes: readonly string[], logger: Logger): Promise<RoutingTable> {
    const [secrets, services, slices, ingresses] = await Promise.all([
      ObjectCache.open<Stored<V1Secret>>(cluster, "secrets"),
      ObjectCache.open<Stored<V1Service>>(cluster, "services"),
      ObjectCache.open<Stored<V1EndpointSlice>>(cluster, "endpointslices"),
      ObjectCache.open<Stored<V1Ingress>>(cluster, "ingresses"),
    ]);
    return new RoutingTable({ ingresses, secrets, services, slices }, classes, logger);
  }

  /** The Ingresses that are served, oldest first. */
  servedIngresses(): Stored<V1Ingress>[] {
    const isServed = ({ spec, metadata }: Stored<V1Ingress>): boolean => {
      const name = spec?.ingressClassName ?? metadata.annotations?.[CLASS_ANNOTATION];
      return name === undefined || this.#classes.includes(name);
    };
    return this.#caches.ingresses.values().filter(isServed).sort(byAge);
  }

  /** The hosts, that of the oldest Ingress first. */
  hosts(): ReadonlyMap<string, VirtualHost> {
    this.#hosts ??= buildVirtualHosts(this.servedIngresses().map((ingress) => this.#rulesOf(ingress)));
    return this.#hosts;
  }

  findHost(name: string): VirtualHost | undefined {
    return findVirtualHost(this.hosts(), name);
  }

  findSecret({ namespace, name }: { namespace: string; name: string }): Stored<V1Secret> | undefined {
    return this.#caches.secrets.find(namespace, name);
  }

  /** The ready Pods behind a Service's port. */
  endpoints({ namespace, service: name, port }: Backend): Endpoint[] {
    const service = this.#caches.services.find(namespace, name);
    const servicePort = service?.spec?.ports?.find((candidate) => candidate.port === port || candidate.name === port);
    if (servicePort === undefined) return [];
    return this.#caches.slices
      .values()
      .filter(
        ({ metadata }) => metadata.namespace === namespace && metadata.labels?.["kubernetes.io/service-name"] === name,
      )
      .flatMap((slice) => endpointsOf(slice, servicePort.name ?? ""));
  }

  [Symbol.dispose](): void {
    for (const cache of Object.values(this.#caches)) cache[Symbol.dispose]();
  }

  #rulesOf(ingress: Stored<V1Ingress>): IngressRules {
    const { namespace, name } = ingress.metadata;
    const known = this.#rules.get(ingress);
    const rules = known ?? parseIngress(ingress, (problem) => this.#logger.warn({ namespace, name }, problem));
    if (known === undefined) this.#rules.set(ingress, rules);
    return rules;
  }

  #outdate(): void {
    this.#hosts = undefined;
    this.#telling ??= setImmediate(() => {
      this.#telling = undefined;
      this.onChange();
    });
  }
}

function byAge({ metadata: a }: Stored<V1Ingress>, { metadata: b }: Stored<V1Ingress>): number {
  const [ofA, ofB] = [a, b].map((meta) => `${meta.creationTimestamp} ${meta.namespace} ${meta.name}`) as [
    string,
    string,
  ];
  return ofA < ofB ? -1 : ofA > ofB ? 1 : 0;
}

function endpointsOf(slice: Stored<V1EndpointSlice>, portName: string): Endpoint[] {
  const port = slice.ports?.find((candidate) => (candidate.name ?? "") === portName)?.port;
  if (port === undefined) return [];
  return (slice.endpoints ?? [])
    .filter((endpoint) => endpoint.conditions?.ready !== false)
    .flatMap((endpoint) => endpoint.addresses.map((address) => ({ address, port })));
}
