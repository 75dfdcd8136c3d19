import { KubernetesObjectApi, PatchStrategy, type V1Secret } from "@kubernetes/client-node";
import { type BootstrapOptions, bootstrapSecrets } from "../pki/index.ts";
import { isConflict, isNotFound } from "./api-errors.ts";
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

/**
 * Makes the installation's PKI (see {@link bootstrapSecrets}) where there is none: an existing signing CA is left alone
 * with all that belongs to it. Safe to repeat, also after it was interrupted. Returns whether it was made now.
 */
export async function ensurePki(cluster: Cluster, options: BootstrapOptions): Promise<boolean> {
  const { names, namespaces } = options;
  const signingPair = { name: names.caKeyPairSecret, namespace: namespaces.orchestration };
  if (await secretExists(cluster, signingPair)) return false;
  const secrets = await bootstrapSecrets(options);
  // The signing pair comes last: where it stands, all the others do.
  const isSigningPair = (secret: V1Secret): boolean => secret.metadata?.name === signingPair.name;
  for (const body of secrets.toSorted((a, b) => Number(isSigningPair(a)) - Number(isSigningPair(b)))) {
    const { name, namespace } = body.metadata;
    if (await secretExists(cluster, { name, namespace }))
      await cluster.core.deleteNamespacedSecret({ name, namespace });
    await cluster.core.createNamespacedSecret({ namespace, body });
  }
  return true;
}

async function secretExists(cluster: Cluster, secret: { name: string; namespace: string }): Promise<boolean> {
  try {
    await cluster.core.readNamespacedSecret(secret);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
