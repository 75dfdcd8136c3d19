import type { V1Ingress, V1Secret } from "@kubernetes/client-node";
import { OrchestratorError } from "../errors.ts";
import type { PkiFiles, SecretFiles } from "../pki/index.ts";
import { isNotFound, toClusterError } from "./api-errors.ts";
import type { Cluster } from "./cluster.ts";
import { findSecret, readSecretFiles, type SecretPlace } from "./secret-files.ts";

/** Where an installation keeps its certificates. */
export interface PkiPlaces {
  readonly names: {
    /** Beside the Ingress; `ca.crt` verifies clients. */
    readonly caCertificateSecret: string;
    /** Beside the orchestrator: the signing CA. */
    readonly caKeyPairSecret: string;
    /** Beside the Ingress: what the edge shows. */
    readonly serverSecret: string;
    /** Beside the orchestrator: what its API shows; left out where it is not served over TLS. */
    readonly apiSecret?: string | undefined;
  };
  readonly namespaces: { readonly orchestration: string; readonly execution: string };
  /** What the edge wants the Secret of `ca.crt` to be: `nginx.org/ca` for the one of F5; `Opaque` when left out. */
  readonly caCertificateType?: "Opaque" | "nginx.org/ca" | undefined;
}

export function placeSecrets({
  names,
  namespaces,
  caCertificateType = "Opaque",
}: PkiPlaces): Record<"authority" | "trust" | "server", SecretPlace> & { api: SecretPlace | undefined } {
  const tls = "kubernetes.io/tls";
  const { apiSecret } = names;
  return {
    authority: { namespace: namespaces.orchestration, name: names.caKeyPairSecret, type: tls },
    trust: { namespace: namespaces.execution, name: names.caCertificateSecret, type: caCertificateType },
    server: { namespace: namespaces.execution, name: names.serverSecret, type: tls },
    api: apiSecret === undefined ? undefined : { namespace: namespaces.orchestration, name: apiSecret, type: tls },
  };
}

/**
 * Reads what all the Secrets hold now.
 *
 * @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer
 */
export async function readPki(cluster: Cluster, places: PkiPlaces): Promise<PkiFiles> {
  const secrets = placeSecrets(places);
  const read = async (place: SecretPlace) => readSecretFiles(await findSecret(cluster, place));
  const [authority, trust, server, api] = await Promise.all([
    read(secrets.authority),
    read(secrets.trust),
    read(secrets.server),
    secrets.api && read(secrets.api),
  ]);
  return { authority, trust, server, api };
}

/** @throws {OrchestratorError} `unavailable` when there is no signing CA, the cluster refuses, or it does not answer */
export async function getAuthorityFiles(cluster: Cluster, places: PkiPlaces): Promise<SecretFiles> {
  const place = placeSecrets(places).authority;
  const files = readSecretFiles(await findSecret(cluster, place));
  if (files !== undefined) return files;
  const message = `Secret ${place.namespace}/${place.name} does not exist: cactus pki bootstrap makes it.`;
  throw new OrchestratorError("unavailable", message);
}

/** Whether cert-manager writes the Secret: what we wrote, it would write over. */
export function isCertManagers(secret: V1Secret | undefined): boolean {
  return secret?.metadata?.annotations?.["cert-manager.io/certificate-name"] !== undefined;
}

/** @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer */
export async function findIngress(
  cluster: Cluster,
  { namespace, name }: { namespace: string; name: string },
): Promise<V1Ingress | undefined> {
  return cluster.networking.readNamespacedIngress({ namespace, name }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw toClusterError(error, `read Ingress ${namespace}/${name}`);
  });
}

/** A certificate that an Ingress shows. */
export interface IngressTls {
  readonly hosts: readonly string[];
  readonly secretName: string;
}

/** Finds the certificate of a host. Without a host: the first. */
export function findIngressTls(ingress: V1Ingress | undefined, host?: string): IngressTls | undefined {
  const entries = ingress?.spec?.tls ?? [];
  const entry = host === undefined ? entries[0] : entries.find(({ hosts }) => hosts?.includes(host));
  return entry?.secretName === undefined ? undefined : { hosts: entry.hosts ?? [], secretName: entry.secretName };
}
