import { OrchestratorError } from "../errors.ts";
import {
  addRoots,
  createAuthorityFiles,
  findOwnServerCertificate,
  findPair,
  hasOverlap,
  issueServerFiles,
  loadInstalledAuthorities,
  loadPair,
  replaceRoots,
  type SecretFiles,
} from "../pki/index.ts";
import type { Cluster } from "./cluster.ts";
import { ensurePki } from "./pki-bootstrap.ts";
import { getAuthorityFiles, isCertManagers, type PkiPlaces, placeSecrets } from "./pki-secrets.ts";
import { changeSecret, type SecretPlace } from "./secret-files.ts";

export interface RotationOptions extends PkiPlaces {
  readonly fqdn: string;
  /** Names of the API; left out where it is not served over TLS. */
  readonly apiHosts?: readonly string[] | undefined;
  readonly organisation: string;
  readonly now: Date;
}

/** `overlap`: both CAs count now. `replaced`: the old one could not be used any more. `none`: an overlap lasts already. */
export type RotationOutcome = "overlap" | "replaced" | "none";

/**
 * Replaces the signing CA by a new one, with an overlap in which clients of both are let in and the server is verified by
 * both (see {@link InstalledAuthorities}); {@link finishRotation} ends it. Trust comes before use: the new CA is put aside in
 * the Secret, then trusted by the edge, then used. Interrupted anywhere, a repetition goes on from there. While an overlap
 * lasts, nothing changes.
 *
 * An old CA that has expired or is damaged gets no overlap, since nothing of it works any more: the server's certificate is
 * made anew as the last step, which {@link ensurePki} can do too should that one step have been missed.
 *
 * @throws {OrchestratorError} `conflict` when cert-manager keeps the CA; `unavailable` when there is none, or the cluster
 *   refuses or does not answer
 */
export async function beginRotation(cluster: Cluster, options: RotationOptions): Promise<RotationOutcome> {
  const { authority, trust } = placeSecrets(options);
  if (hasOverlap(await getAuthorityFiles(cluster, options))) return "none";
  await changeSecret(cluster, authority, async (files = {}, secret) => {
    if (isCertManagers(secret)) {
      const message = `Secret ${authority.namespace}/${authority.name} is cert-manager's: rotate the CA there.`;
      throw new OrchestratorError("conflict", message);
    }
    return hasOverlap(files) || isPrepared(files) ? undefined : { ...files, ...(await prepare(options)) };
  });
  const prepared = await getAuthorityFiles(cluster, options);
  if (!isPrepared(prepared)) return "none";
  const old = findPair(prepared, "tls", options.now);
  const next = loadPair(prepared, "next", options.now);
  await changeSecret(cluster, trust, async (files) => {
    const bundle = files?.["ca.crt"] ?? "";
    const chains = { retiredPem: prepared["tls.crt"] ?? "", staying: next };
    return { ...files, "ca.crt": old ? addRoots(bundle, next.rootPem + old.rootPem) : replaceRoots(bundle, chains) };
  });
  const isPromoted = await changeSecret(cluster, authority, async (files = {}) =>
    isPrepared(files) ? promote(files, { keepOld: old !== undefined }) : undefined,
  );
  if (old === undefined) await ensurePki(cluster, options);
  if (!isPromoted) return "none";
  return old === undefined ? "replaced" : "overlap";
}

/**
 * Ends the overlap of a rotation: the server and the API change over to the new CA, the edge no longer lets clients of the
 * old one in, and the old CA's key is gone. A server certificate that is not ours stays. Safe to repeat, also after it was
 * interrupted.
 * Returns whether there was an overlap.
 *
 * @throws {PkiError} when the new CA cannot be used
 * @throws {OrchestratorError} `unavailable` when there is no CA, or the cluster refuses or does not answer
 */
export async function finishRotation(cluster: Cluster, options: RotationOptions): Promise<boolean> {
  const { authority, trust, server, api } = placeSecrets(options);
  const {
    "previous.crt": previousCertificate,
    "previous.key": _,
    ...present
  } = await getAuthorityFiles(cluster, options);
  if (previousCertificate === undefined) return false;
  const { fqdn, apiHosts = [], now } = options;
  const authorities = loadInstalledAuthorities(present, now);
  const changeOver = (place: SecretPlace, hosts: readonly string[]) =>
    changeSecret(cluster, place, async (files, secret) => {
      if (files === undefined || isCertManagers(secret)) return undefined;
      const replaced = findOwnServerCertificate(files, { "tls.crt": previousCertificate });
      return replaced && { ...files, ...(await issueServerFiles(authorities, { hosts, replaced, now })) };
    });
  await changeOver(server, [fqdn]);
  if (api !== undefined) await changeOver(api, apiHosts);
  await changeSecret(cluster, trust, async (files = {}) => {
    const chains = { retiredPem: previousCertificate, staying: authorities.current };
    return { ...files, "ca.crt": replaceRoots(files["ca.crt"] ?? "", chains) };
  });
  return changeSecret(cluster, authority, async (files = {}) => {
    if (files["previous.crt"] !== previousCertificate) return undefined;
    const { "previous.crt": _certificate, "previous.key": _key, ...rest } = files;
    return rest;
  });
}

function isPrepared(files: SecretFiles): boolean {
  return files["next.crt"] !== undefined;
}

async function prepare(options: RotationOptions): Promise<SecretFiles> {
  const files = await createAuthorityFiles(options);
  return { "next.crt": files["tls.crt"] ?? "", "next.key": files["tls.key"] ?? "" };
}

function promote(files: SecretFiles, { keepOld }: { keepOld: boolean }): SecretFiles {
  const {
    "next.crt": certificate = "",
    "next.key": key = "",
    "tls.crt": oldCertificate,
    "tls.key": oldKey,
    ...others
  } = files;
  const old = { "previous.crt": oldCertificate ?? "", "previous.key": oldKey ?? "" };
  return { ...others, "tls.crt": certificate, "tls.key": key, ...(keepOld && old) };
}
