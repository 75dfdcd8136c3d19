import type { X509Certificate } from "node:crypto";
import type { Authority } from "./authority.ts";
import { tryReadCertificates } from "./parse-certificate.ts";
import { PkiError } from "./pki-error.ts";

/** Whether a chain, leaf first, can be followed by names and signatures to one of the anchors. Validity is not looked at. */
export function leadsTo(chain: readonly X509Certificate[], anchors: readonly X509Certificate[]): boolean {
  let current = chain[0];
  for (let steps = 0; current !== undefined && steps <= chain.length; steps += 1) {
    const subject: X509Certificate = current;
    if (includes(anchors, subject)) return true;
    current = [...anchors, ...chain].find((candidate) => isIssuer(candidate, subject));
  }
  return false;
}

/** Whether the issuer's key has signed the certificate, and the issuer is a CA. */
export function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/**
 * Adds the roots that a bundle lacks, in front. Whatever else it holds stays.
 *
 * @throws {PkiError} invalid_certificate when the bundle has a certificate that cannot be read
 */
export function addRoots(bundlePem: string, rootsPem: string): string {
  const known = readBundle(bundlePem);
  const missing = readBundle(rootsPem).filter((root) => !includes(known, root));
  return missing.map(String).join("") + bundlePem;
}

/**
 * Removes what a retired chain leads to, unless the one that stays leads there too, and sees to it that the staying root is
 * there: a bundle is never left empty, which some edges take for "verify nobody". Other CAs of the bundle stay.
 *
 * @throws {PkiError} invalid_certificate when the bundle has a certificate that cannot be read
 */
export function replaceRoots(bundlePem: string, chains: { retiredPem: string; staying: Authority }): string {
  const retired = tryReadCertificates(chains.retiredPem) ?? [];
  const staying = readBundle(chains.staying.chainPem);
  const kept = readBundle(bundlePem).filter((root) => !leadsTo(retired, [root]) || leadsTo(staying, [root]));
  return addRoots(kept.map(String).join(""), chains.staying.rootPem);
}

function readBundle(pem: string): X509Certificate[] {
  const certificates = tryReadCertificates(pem);
  if (certificates !== undefined) return certificates;
  throw new PkiError("invalid_certificate", "ca.crt holds a certificate that cannot be read: remove it first.");
}

function includes(certificates: readonly X509Certificate[], wanted: X509Certificate): boolean {
  return certificates.some((certificate) => certificate.raw.equals(wanted.raw));
}
