import type { V1Ingress, V1IngressTLS, V1OwnerReference } from "@kubernetes/client-node";
import { OrchestratorError } from "../errors.ts";
import { buildMetadata, type TeststackIdentity } from "../teststack/index.ts";

/** What all routes of a host share: held by the base Ingress (`TEST_EXECUTION_INGRESS_NAME`). */
export interface HostSettings {
  /** Host name of all instances (`TEST_EXECUTION_FQDN`). */
  host: string;
  tlsSecretName: string;
  ingressClassName: string | undefined;
}

export interface RouteInput extends TeststackIdentity {
  owner: V1OwnerReference;
  hostSettings: HostSettings;
  servicePort: number;
  /** Path below which the runner proxies; the runner's own API lies beside it and is never routed to. */
  proxyPrefix: string;
  /** Secret (`ca.crt`) with the CA certificates that verify clients, in the namespace of the instances. */
  caSecretName: string;
  /** Left out, the edge speaks plainly to the instance. */
  upstreamTls?: UpstreamTls | undefined;
}

/** How the edge speaks to an encrypted instance. */
interface UpstreamTls {
  /** Secret with what the edge shows (`tls.crt`, `tls.key`) and what verifies the instance (`ca.crt`), beside the route. */
  clientSecretName: string;
}

/** How one kind of Ingress controller is told to lead to an instance, and to let nobody in without a certificate. */
export interface EdgeProfile {
  /**
   * Takes from the base Ingress what every route needs of it.
   *
   * @throws {OrchestratorError} `unavailable` when it has no TLS for the host or does not verify clients
   */
  readHostSettings(baseIngress: V1Ingress, host: string): HostSettings;
  /** Builds the route of one instance: `/<name>/…` leads below the runner's proxy prefix. */
  buildRoute(input: RouteInput): V1Ingress;
}

/** An annotation that the base Ingress must have; `value` undefined: any that is not empty. */
interface Required {
  annotation: string;
  value?: string;
}

export function readHost(baseIngress: V1Ingress, host: string, required: Required[]): HostSettings {
  const { metadata, spec } = baseIngress;
  const name = `${metadata?.namespace}/${metadata?.name}`;
  const unusable = (what: string) =>
    new OrchestratorError("unavailable", `The edge cannot be used: Ingress ${name} ${what}.`);
  const tls = spec?.tls?.find((entry) => entry.hosts?.includes(host));
  if (tls?.secretName === undefined) throw unusable(`has no TLS Secret for host ${host}`);
  for (const { annotation, value } of required) {
    const found = metadata?.annotations?.[annotation];
    const isThere = value === undefined ? Boolean(found) : found === value;
    if (!isThere)
      throw unusable(`does not have ${annotation}${value === undefined ? "" : `: ${JSON.stringify(value)}`}`);
  }
  return { host, tlsSecretName: tls.secretName, ingressClassName: spec?.ingressClassName };
}

/**
 * The Ingress that every profile begins with: the instance's, owned by it, with one rule that nobody else's name matches.
 * What a kind of controller wants beside goes into annotations and `tls`.
 */
export function buildIngress(
  input: RouteInput,
  own: { annotations: Record<string, string>; tls?: V1IngressTLS[] },
): V1Ingress {
  const { name, owner, servicePort, hostSettings } = input;
  const { host, ingressClassName } = hostSettings;
  const backend = { service: { name, port: { number: servicePort } } };
  const path = { path: `/${name}/(.*)`, pathType: "ImplementationSpecific", backend };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { ...buildMetadata(input), annotations: own.annotations, ownerReferences: [owner] },
    spec: {
      ...(ingressClassName !== undefined && { ingressClassName }),
      ...(own.tls && { tls: own.tls }),
      rules: [{ host, http: { paths: [path] } }],
    },
  };
}
