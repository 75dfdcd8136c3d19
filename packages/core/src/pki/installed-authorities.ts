import type { X509Certificate } from "node:crypto";
import { type Authority, loadAuthority } from "./authority.ts";
import { createHierarchy, type HierarchyOptions } from "./hierarchy.ts";
import { tryReadCertificates } from "./parse-certificate.ts";
import { PkiError } from "./pki-error.ts";

/** What a Secret holds, decoded, by the names of its files. */
export type SecretFiles = Readonly<Record<string, string>>;

const DAY_MS = 86_400_000;

type PairName = "tls" | "previous" | "next";

/**
 * The CAs of an installation.
 *
 * The rotation of a CA has an overlap, in which nothing that worked stops working: the edge trusts both roots, all that is
 * new for clients is signed by the new CA, and `certificates.authority` names both roots. The server's certificate stays
 * the old CA's, also when it is renewed meanwhile: a client that learned the old root alone still verifies it, as does one
 * that has learned both. When the overlap is finished, the server changes over to the new CA, and the old root goes.
 *
 * That is why the Secret of the signing CA (`tls.crt`, `tls.key`) keeps the old pair as `previous.crt` and `previous.key`
 * until then. Cross-signing, the other way to do it, would need the old SERCA's key, which nobody has (see
 * {@link createHierarchy}).
 */
export interface InstalledAuthorities {
  /** Signs what is new for clients. */
  readonly current: Authority;
  /** The one that is being replaced, while the overlap lasts and as long as it can still sign. */
  readonly previous: Authority | undefined;
}

/**
 * Loads the CAs from the files of the signing CA's Secret. A previous one that cannot be used is left out.
 *
 * @throws {PkiError} what {@link loadAuthority} throws of the present one
 */
export function loadInstalledAuthorities(files: SecretFiles, now: Date): InstalledAuthorities {
  return { current: loadPair(files, "tls", now), previous: findPrevious(files, now) };
}

/** The CA that signs server certificates: that which every client knows, up to the last day of its life. */
export function getServerSigner({ current, previous }: InstalledAuthorities, now: Date): Authority {
  const isEnding = previous !== undefined && previous.notAfter.getTime() - now.getTime() < DAY_MS;
  return isEnding ? current : (previous ?? current);
}

/** PEM of the roots that clients must trust, the newest first. */
export function listRoots({ current, previous }: InstalledAuthorities): string {
  return current.rootPem + (previous?.rootPem ?? "");
}

/** Whether a rotation has begun and is not finished. */
export function hasOverlap(files: SecretFiles): boolean {
  return files["previous.crt"] !== undefined;
}

/** The signing certificates of an installation, valid or not: what they signed is its own. */
export function listSigningCertificates(files: SecretFiles): X509Certificate[] {
  return ["tls.crt", "previous.crt"].flatMap((file) => tryReadCertificates(files[file] ?? "")?.slice(0, 1) ?? []);
}

/** Makes the files of a new signing CA's Secret: MICA, MCA and SERCA, and the MICA's key. @throws {PkiError} invalid_input */
export async function createAuthorityFiles(options: HierarchyOptions): Promise<SecretFiles> {
  const { sercaPem, mcaPem, micaPem, micaPrivateKeyPem } = await createHierarchy(options);
  return { "tls.crt": micaPem + mcaPem + sercaPem, "tls.key": micaPrivateKeyPem };
}

function findPrevious(files: SecretFiles, now: Date): Authority | undefined {
  return hasOverlap(files) ? findPair(files, "previous", now) : undefined;
}

/** One of the Secret's pairs, when it can be used now. */
export function findPair(files: SecretFiles, name: PairName, now: Date): Authority | undefined {
  try {
    return loadPair(files, name, now);
  } catch (error) {
    if (error instanceof PkiError) return undefined;
    throw error;
  }
}

/** Messages name the files as `tls.crt` and `tls.key`, also those of the previous pair. */
export function loadPair(files: SecretFiles, name: PairName, now: Date): Authority {
  const [certificatePem = "", privateKeyPem = ""] = [files[`${name}.crt`], files[`${name}.key`]];
  return loadAuthority({ certificatePem, privateKeyPem, now });
}
