import type { V1Ingress } from "@kubernetes/client-node";
import { OrchestratorError } from "../errors.ts";
import { buildMetadata, buildOwnerReference, type TeststackIdentity } from "../teststack/index.ts";

const ANNOTATION = "nginx.ingress.kubernetes.io";

/** Intermediates that a client may send between its certificate and a trusted one: MICA, MCA, and one to spare. */
const VERIFY_DEPTH = "3";

export interface RouteInput extends TeststackIdentity {
  ownerUid: string;
  /** Host name of all instances (`TEST_EXECUTION_FQDN`). */
  host: string;
  servicePort: number;
  /** Path below which the runner proxies; the runner's own API lies beside it and is never routed to. */
  proxyPrefix: string;
  /** Secret (`ca.crt`) with the CA certificates that verify clients, in the namespace of the instances. */
  caSecretName: string;
  /** The Ingress that holds the host's TLS and mTLS settings (`TEST_EXECUTION_INGRESS_NAME`). */
  baseIngress: V1Ingress;
}

/**
 * Builds the route of one instance for ingress-nginx: `/<name>/…` leads below the runner's proxy prefix.
 * It carries the host's TLS and every client-verification setting itself, so that the door stays closed
 * when the base Ingress is lost (measured: without them ingress-nginx then serves the host open).
 *
 * @throws {OrchestratorError} `unavailable` when the base Ingress has no TLS for the host or does not verify clients
 */
export function buildIngressNginxRoute(input: RouteInput): V1Ingress {
  const tls = input.baseIngress.spec?.tls?.find((entry) => entry.hosts?.includes(input.host));
  if (tls?.secretName === undefined) throw unusable(input, `has no TLS Secret for host ${input.host}`);
  const verification = input.baseIngress.metadata?.annotations?.[`${ANNOTATION}/auth-tls-verify-client`];
  if (verification !== "on") throw unusable(input, `does not have ${ANNOTATION}/auth-tls-verify-client: "on"`);
  const className = input.baseIngress.spec?.ingressClassName;
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
      ...(className !== undefined && { ingressClassName: className }),
      tls: [{ hosts: [input.host], secretName: tls.secretName }],
      rules: [
        {
          host: input.host,
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

function unusable(input: RouteInput, what: string): OrchestratorError {
  const name = `${input.namespace}/${input.baseIngress.metadata?.name}`;
  return new OrchestratorError("unavailable", `The edge cannot be used: Ingress ${name} ${what}.`);
}
