import type { V1Ingress } from "@kubernetes/client-node";
import { buildIngress, type HostSettings, type RouteInput, readHost } from "./route.ts";

const ANNOTATION = "nginx.org";

/** Made by our manifests, beside the routes. */
const EGRESS_POLICY = "teststack-tls";

export function readF5Host(baseIngress: V1Ingress, host: string): HostSettings {
  return readHost(baseIngress, host, [
    { annotation: `${ANNOTATION}/mergeable-ingress-type`, value: "master" },
    { annotation: `${ANNOTATION}/policies` },
  ]);
}

/**
 * Builds the route of one instance for the NGINX Ingress Controller of F5 (nginx/kubernetes-ingress): a minion of the base
 * Ingress, which as the master holds TLS and the `Policy` that verifies clients. A minion may carry neither; without its
 * master it is not served at all (measured), so the door stays closed.
 * The controller's ConfigMap must pass the certificate on, in `location-snippets`.
 * To an encrypted instance it speaks as the `egressMTLS` Policy of the minion says, which may know one name for all
 * instances only (`ANY_TESTSTACK` of core/pki): it verifies that it speaks to an instance, not to which. That part was read in the
 * controller's documentation and templates (5.5), not tried.
 */
export function buildF5Route(input: RouteInput): V1Ingress {
  return buildIngress(input, {
    annotations: {
      [`${ANNOTATION}/mergeable-ingress-type`]: "minion",
      [`${ANNOTATION}/path-regex`]: "case_sensitive",
      [`${ANNOTATION}/rewrite-target`]: `${input.proxyPrefix}/$1`,
      ...(input.upstreamTls && {
        [`${ANNOTATION}/policies`]: EGRESS_POLICY,
        [`${ANNOTATION}/ssl-services`]: input.name,
      }),
    },
  });
}
