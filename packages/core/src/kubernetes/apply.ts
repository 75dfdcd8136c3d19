import { KubernetesObjectApi, PatchStrategy } from "@kubernetes/client-node";
import { isConflict } from "./api-errors.ts";
import type { Cluster } from "./cluster.ts";

/** Any object, as a manifest has it. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}

/** Creates each object, in order, or brings one that exists to what the manifest says (merge patch). */
export async function applyManifests(cluster: Cluster, manifests: Manifest[]): Promise<void> {
  const api = KubernetesObjectApi.makeApiClient(cluster.config);
  for (const manifest of manifests) {
    try {
      await api.create(manifest);
    } catch (error) {
      if (!isConflict(error)) throw error;
      await api.patch(manifest, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch);
    }
  }
}
