import type { V1Secret } from "@kubernetes/client-node";
import {
  addRoots,
  createAuthorityFiles,
  findOwnServerCertificate,
  findServerCertificate,
  issueServerFiles,
  listRoots,
  loadInstalledAuthorities,
  type SecretFiles,
  type ServerFilesRequest,
} from "../pki/index.ts";
import type { Cluster } from "./cluster.ts";
import { getAuthorityFiles, isCertManagers, type PkiPlaces, placeSecrets } from "./pki-secrets.ts";
import { changeSecret, type SecretPlace } from "./secret-files.ts";

export interface BootstrapOptions extends PkiPlaces {
  /** Public name of the test instances. */
  readonly fqdn: string;
  /** Addresses under which they are reached without a name, as on a laptop. */
  readonly ipAddresses?: readonly string[] | undefined;
  readonly organisation: string;
  /** Somebody else, as cert-manager, makes the server's certificate. */
  readonly isServerForeign?: boolean | undefined;
  /** Names of the API; left out where it is not served over TLS. */
  readonly apiHosts?: readonly string[] | undefined;
  /** Somebody else makes the API's certificate. */
  readonly isApiForeign?: boolean | undefined;
  readonly now: Date;
}

/**
 * Sees to it that the installation has certificates that fit together, and makes what is missing:
 *
 * - the signing CA, beside the orchestrator: MICA, MCA and SERCA, and the MICA's key;
 * - its root among what verifies clients, beside the Ingress: the SERCA alone, so that a client has to send its issuers,
 *   as a utility's server demands;
 * - the server's certificate, beside the Ingress;
 * - the API's certificate, beside the orchestrator, where the API is served over TLS.
 *
 * What is there stays: a CA always, the edge's other roots, a server's certificate unless we made it for a CA that is gone.
 * Safe to repeat, also after it was interrupted. Returns what was made now, a sentence each.
 *
 * @throws {PkiError} when the signing CA that is there cannot be used
 * @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer
 */
export async function ensurePki(cluster: Cluster, options: BootstrapOptions): Promise<string[]> {
  const { authority, trust, server, api } = placeSecrets(options);
  const { apiHosts, fqdn, ipAddresses, now } = options;
  const hasCa = await changeSecret(cluster, authority, async (files) =>
    files === undefined ? createAuthorityFiles(options) : undefined,
  );
  const authorityFiles = await getAuthorityFiles(cluster, options);
  const authorities = loadInstalledAuthorities(authorityFiles, now);
  const hasRoot = await changeSecret(cluster, trust, async (files) => {
    const known = files?.["ca.crt"] ?? "";
    const bundle = addRoots(known, listRoots(authorities));
    return bundle === known ? undefined : { ...files, "ca.crt": bundle };
  });
  const ensureServer = async (place: SecretPlace, names: Pick<ServerFilesRequest, "hosts" | "ipAddresses">) =>
    changeSecret(cluster, place, async (files, secret) => {
      if (!isServerMissing(files, secret, authorityFiles)) return undefined;
      const replaced = findServerCertificate(files ?? {});
      return { ...files, ...(await issueServerFiles(authorities, { ...names, replaced, now })) };
    });
  const hasServer = !options.isServerForeign && (await ensureServer(server, { hosts: [fqdn], ipAddresses }));
  const hasApi = api && apiHosts && !options.isApiForeign && (await ensureServer(api, { hosts: apiHosts }));
  const made: [boolean | undefined, string][] = [
    [hasCa, `made the signing CA in Secret ${authority.namespace}/${authority.name}`],
    [hasRoot, `added its root to ca.crt in Secret ${trust.namespace}/${trust.name}`],
    [hasServer, `made the server's certificate in Secret ${server.namespace}/${server.name}`],
    [hasApi, `made the API's certificate in Secret ${api?.namespace}/${api?.name}`],
  ];
  return made.flatMap(([isNew, sentence]) => (isNew ? [sentence] : []));
}

/** A server certificate with our label that no CA of ours has signed is left over from another CA, or damaged. */
function isServerMissing(
  files: SecretFiles | undefined,
  secret: V1Secret | undefined,
  authorityFiles: SecretFiles,
): boolean {
  if (files === undefined) return true;
  const isOurs = secret?.metadata?.labels?.["app.kubernetes.io/part-of"] === "cactus-orchestrator";
  if (!isOurs || isCertManagers(secret)) return false;
  return findOwnServerCertificate(files, authorityFiles) === undefined;
}
