import type { V1Ingress } from "@kubernetes/client-node";
import { buildIngress, type HostSettings, type RouteInput, readHost } from "./route.ts";

const ANNOTATION = "nginx.ingress.kubernetes.io";

/** Intermediates that a client may send between its certificate and a trusted one: MICA, MCA, and one to spare. */
const VERIFY_DEPTH = "3";

export function readIngressNginxHost(baseIngress: V1Ingress, host: string): HostSettings {
  return readHost(baseIngress, host, [{ annotation: `${ANNOTATION}/auth-tls-verify-client`, value: "on" }]);
}

/**
 * Builds the route of one instance for ingress-nginx (kubernetes/ingress-nginx).
 * It carries the host's TLS and every client-verification setting itself, so that the door stays closed
 * when the base Ingress is lost (measured: without them ingress-nginx then serves the host open).
 * And it leads below the proxy prefix only who was verified: ingress-nginx turns verification off, and lets a client's own
 * `ssl-client-cert` through, while the CA Secret holds a key pair but no `ca.crt` (measured).
 */
export function buildIngressNginxRoute(input: RouteInput): V1Ingress {
  const { host, tlsSecretName } = input.hostSettings;
  const target = input.proxyPrefix.replace(/SUCCESS$/, () => "$ssl_client_verify");
  return buildIngress(input, {
    annotations: {
      [`${ANNOTATION}/auth-tls-pass-certificate-to-upstream`]: "true",
      [`${ANNOTATION}/auth-tls-secret`]: `${input.namespace}/${input.caSecretName}`,
      [`${ANNOTATION}/auth-tls-verify-client`]: "on",
      [`${ANNOTATION}/auth-tls-verify-depth`]: VERIFY_DEPTH,
      // The runner's proxy hangs on a chunked request, and every other client with it.
      [`${ANNOTATION}/proxy-request-buffering`]: "on",
      [`${ANNOTATION}/rewrite-target`]: `${target}/$1`,
      [`${ANNOTATION}/use-regex`]: "true",
      ...buildUpstreamTls(input),
    },
    tls: [{ hosts: [host], secretName: tlsSecretName }],
  });
}

/** The instance is verified by its very name: no other one can stand in for it. */
function buildUpstreamTls({ name, namespace, upstreamTls }: RouteInput): Record<string, string> {
  if (upstreamTls === undefined) return {};
  return {
    [`${ANNOTATION}/backend-protocol`]: "HTTPS",
    [`${ANNOTATION}/proxy-ssl-name`]: `${name}.${namespace}.svc`,
    [`${ANNOTATION}/proxy-ssl-protocols`]: "TLSv1.2 TLSv1.3",
    [`${ANNOTATION}/proxy-ssl-secret`]: `${namespace}/${upstreamTls.clientSecretName}`,
    [`${ANNOTATION}/proxy-ssl-server-name`]: "on",
    [`${ANNOTATION}/proxy-ssl-verify`]: "on",
    [`${ANNOTATION}/proxy-ssl-verify-depth`]: "1",
  };
}
