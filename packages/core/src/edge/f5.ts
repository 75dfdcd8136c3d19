import type { V1Ingress } from "@kubernetes/client-node";
import { buildMetadata } from "../teststack/index.ts";
import { buildRules, type HostSettings, type RouteInput, readHost } from "./route.ts";

const ANNOTATION = "nginx.org";

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
 */
export function buildF5Route(input: RouteInput): V1Ingress {
  const { ingressClassName } = input.hostSettings;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      ...buildMetadata(input),
      annotations: {
        [`${ANNOTATION}/mergeable-ingress-type`]: "minion",
        [`${ANNOTATION}/path-regex`]: "case_sensitive",
        [`${ANNOTATION}/rewrite-target`]: `${input.proxyPrefix}/$1`,
      },
      ownerReferences: [input.owner],
    },
    spec: { ...(ingressClassName !== undefined && { ingressClassName }), rules: buildRules(input) },
  };
}
