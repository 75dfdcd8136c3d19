import type { V1Secret } from "@kubernetes/client-node";
import type { SecretFiles } from "../pki/index.ts";
import { isConflict, isNotFound, toClusterError } from "./api-errors.ts";
import type { Cluster } from "./cluster.ts";

/** Where a Secret is, and of which type it is made when it is not there. */
export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
}

/** Gives the files that a Secret shall hold; undefined leaves it as it is. */
export type SecretChange = (
  files: SecretFiles | undefined,
  secret: V1Secret | undefined,
) => Promise<SecretFiles | undefined>;

/** How often a change is decided anew because somebody else changed the Secret meanwhile. */
const MOST_ATTEMPTS = 5;

/** @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer */
export async function findSecret(cluster: Cluster, place: SecretPlace): Promise<V1Secret | undefined> {
  const { namespace, name } = place;
  return cluster.core.readNamespacedSecret({ namespace, name }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw toClusterError(error, `read Secret ${namespace}/${name}`);
  });
}

/** The files of a Secret, decoded; undefined where there is no Secret. */
export function readSecretFiles(secret: V1Secret | undefined): SecretFiles | undefined {
  if (secret === undefined) return undefined;
  const entries = Object.entries(secret.data ?? {});
  return Object.fromEntries(entries.map(([file, data]) => [file, Buffer.from(data, "base64").toString("utf8")]));
}

/**
 * Changes or creates a Secret in place. Nobody else's change is lost: the change is decided on what is there, written only
 * if that is still so, and decided anew otherwise. Returns whether anything was written.
 *
 * @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer
 */
export async function changeSecret(cluster: Cluster, place: SecretPlace, change: SecretChange): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    const secret = await findSecret(cluster, place);
    const files = await change(readSecretFiles(secret), secret);
    if (files === undefined) return false;
    try {
      await writeSecret(cluster, place, { secret, files });
      return true;
    } catch (error) {
      if (isConflict(error) && attempt < MOST_ATTEMPTS) continue;
      throw toClusterError(error, `write Secret ${place.namespace}/${place.name}`);
    }
  }
}

async function writeSecret(
  { core }: Cluster,
  { namespace, name, type }: SecretPlace,
  { secret, files }: { secret: V1Secret | undefined; files: SecretFiles },
): Promise<void> {
  const entries = Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString("base64")]);
  const data: Record<string, string> = Object.fromEntries(entries);
  if (secret !== undefined) {
    await core.replaceNamespacedSecret({ namespace, name, body: { ...secret, data } });
    return;
  }
  const labels = { "app.kubernetes.io/part-of": "cactus-orchestrator" };
  await core.createNamespacedSecret({ namespace, body: { metadata: { name, namespace, labels }, type, data } });
}
