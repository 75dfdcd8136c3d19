import type { V1Ingress } from "@kubernetes/client-node";
import { OrchestratorError } from "../errors.ts";
import { buildMetadata, buildOwnerReference, type TeststackIdentity } from "../teststack/index.ts";

const ANNOTATION = "nginx.ingress.kubernetes.io";

/** Intermediates that a client may send between its certificate and a trusted one: MICA, MCA, and one to spare. */
const VERIFY_DEPTH = "3";

/** What all routes of a host share: held by the base Ingress (`TEST_EXECUTION_INGRESS_NAME`). */
export interface HostSettings {
  /** Host name of all instances (`TEST_EXECUTION_FQDN`). */
  host: string;
  tlsSecretName: string;
  ingressClassName: string | undefined;
}

export interface RouteInput extends TeststackIdentity {
  ownerUid: string;
  hostSettings: HostSettings;
  servicePort: number;
  /** Path below which the runner proxies; the runner's own API lies beside it and is never routed to. */
  proxyPrefix: string;
  /** Secret (`ca.crt`) with the CA certificates that verify clients, in the namespace of the instances. */
  caSecretName: string;
}

/**
 * Takes from the base Ingress what every route needs of it.
 *
 * @throws {OrchestratorError} `unavailable` when it has no TLS for the host or does not verify clients
 */
export function readHostSettings(baseIngress: V1Ingress, host: string): HostSettings {
  const name = `${baseIngress.metadata?.namespace}/${baseIngress.metadata?.name}`;
  const unusable = (what: string) =>
    new OrchestratorError("unavailable", `The edge cannot be used: Ingress ${name} ${what}.`);
  const tls = baseIngress.spec?.tls?.find((entry) => entry.hosts?.includes(host));
  if (tls?.secretName === undefined) throw unusable(`has no TLS Secret for host ${host}`);
  const verification = `${ANNOTATION}/auth-tls-verify-client`;
  if (baseIngress.metadata?.annotations?.[verification] !== "on") throw unusable(`does not have ${verification}: "on"`);
  return { host, tlsSecretName: tls.secretName, ingressClassName: baseIngress.spec?.ingressClassName };
}

/**
 * Builds the route of one instance for ingress-nginx: `/<name>/…` leads below the runner's proxy prefix.
 * It carries the host's TLS and every client-verification setting itself, so that the door stays closed
 * when the base Ingress is lost (measured: without them ingress-nginx then serves the host open).
 */
export function buildIngressNginxRoute(input: RouteInput): V1Ingress {
  const { host, tlsSecretName, ingressClassName } = input.hostSettings;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      ...buildMetadata(input),
      annotations: {
        [`${ANNOTATION}/auth-tls-pass-certificate-to-upstream`]: "true",
        [`${ANNOTATION}/auth-tls-secret`]: `${input.namespace}/${input.caSecretName}`,
        [`${ANNOTATION}/auth-tls-verify-client`]: "on",
        [`${ANNOTATION}/auth-tls-verify-depth`]: VERIFY_DEPTH,
        // The runner's proxy hangs on a chunked request, and every other client with it.
        [`${ANNOTATION}/proxy-request-buffering`]: "on",
        [`${ANNOTATION}/rewrite-target`]: `${input.proxyPrefix}/$1`,
        [`${ANNOTATION}/use-regex`]: "true",
      },
      ownerReferences: [buildOwnerReference(input)],
    },
    spec: {
      ...(ingressClassName !== undefined && { ingressClassName }),
      tls: [{ hosts: [host], secretName: tlsSecretName }],
      rules: [
        {
          host,
          http: {
            paths: [
              {
                path: `/${input.name}/(.*)`,
                pathType: "ImplementationSpecific",
                backend: { service: { name: input.name, port: { number: input.servicePort } } },
              },
            ],
          },
        },
      ],
    },
  };
}
