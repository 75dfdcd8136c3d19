import { OrchestratorError } from "../errors.ts";
import {
  findOwnServerCertificate,
  findServerCertificate,
  isRenewalDue,
  issueServerFiles,
  loadInstalledAuthorities,
  type SecretFiles,
} from "../pki/index.ts";
import type { Cluster } from "./cluster.ts";
import { getAuthorityFiles, isCertManagers, type PkiPlaces, placeSecrets } from "./pki-secrets.ts";
import { changeSecret, type SecretPlace } from "./secret-files.ts";

export interface ServerRenewalOptions extends PkiPlaces {
  readonly fqdn: string;
  /** The API's certificate is meant, with these names, in place of the edge's. */
  readonly apiHosts?: readonly string[] | undefined;
  readonly now: Date;
}

/**
 * Renews a server's certificate, in place, when two thirds of its life have passed and our own CA has signed it; any
 * other (cert-manager's, a public CA's) is left alone. Of several who try at once, one does it. Returns whether it did.
 *
 * @throws {PkiError} when the signing CA cannot be used
 * @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer
 */
export async function renewServerCertificate(cluster: Cluster, options: ServerRenewalOptions): Promise<boolean> {
  const authority = await getAuthorityFiles(cluster, options);
  return changeSecret(cluster, getPlace(options), async (files = {}, secret) => {
    const certificate = findOwnServerCertificate(files, authority);
    const isOurs = certificate !== undefined && !isCertManagers(secret);
    return isOurs && isRenewalDue(certificate, authority, options.now) ? reissue(files, authority, options) : undefined;
  });
}

/**
 * Gives a server a new certificate and key now, in place, with the names that it had.
 *
 * @throws {PkiError} when the signing CA cannot be used
 * @throws {OrchestratorError} `conflict` when the certificate is not our CA's; `unavailable` when the cluster refuses or
 *   does not answer
 */
export async function rotateServerCertificate(cluster: Cluster, options: ServerRenewalOptions): Promise<void> {
  const authority = await getAuthorityFiles(cluster, options);
  const server = getPlace(options);
  await changeSecret(cluster, server, async (files = {}, secret) => {
    const isAnothers = findServerCertificate(files) !== undefined && !findOwnServerCertificate(files, authority);
    if (!isCertManagers(secret) && !isAnothers) return reissue(files, authority, options);
    const whose = isCertManagers(secret) ? "cert-manager renews it" : "another CA has signed it";
    const message = `Secret ${server.namespace}/${server.name} is not ours to change: ${whose}.`;
    throw new OrchestratorError("conflict", message);
  });
}

function getPlace(options: ServerRenewalOptions): SecretPlace {
  const { server, api } = placeSecrets(options);
  if (options.apiHosts === undefined) return server;
  if (api === undefined) throw new OrchestratorError("not_found", "The API is not served over TLS.");
  return api;
}

async function reissue(
  files: SecretFiles,
  authority: SecretFiles,
  { fqdn, apiHosts: hosts = [fqdn], now }: ServerRenewalOptions,
): Promise<SecretFiles> {
  const replaced = findOwnServerCertificate(files, authority);
  return { ...files, ...(await issueServerFiles(loadInstalledAuthorities(authority, now), { hosts, replaced, now })) };
}
