import type { V1ObjectMeta } from "@kubernetes/client-node";
import { buildLabels } from "./labels.ts";

export interface TeststackIdentity {
  installationId: string;
  teststackId: string;
  /** Name of all its objects. */
  name: string;
  namespace: string;
}

export function buildMetadata(input: TeststackIdentity): V1ObjectMeta {
  return { name: input.name, namespace: input.namespace, labels: buildLabels(input) };
}
