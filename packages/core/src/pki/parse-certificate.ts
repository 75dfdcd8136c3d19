import { X509Certificate } from "node:crypto";
import { splitPem } from "./pem.ts";
import { PkiError } from "./pki-error.ts";

/** What callers need to know of a certificate. */
export interface CertificateSummary {
  /** Such as `C=AU, O=CACTUS, CN=IEEE 2030.5 MICA`; empty for a device. */
  readonly subject: string;
  readonly issuer: string;
  /** Lower-case hexadecimal digits. */
  readonly serialNumber: string;
  /** ISO 8601, UTC. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** SHA-256 of the DER, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  readonly isCa: boolean;
  readonly derBytes: Buffer;
}

/**
 * Reads a certificate from its DER, or from PEM, of which the first certificate counts.
 *
 * @throws {PkiError} invalid_certificate
 */
export function parseCertificate(source: string | Buffer): CertificateSummary {
  const der = typeof source === "string" ? splitPem(source).find(({ label }) => label === "CERTIFICATE")?.der : source;
  if (der === undefined) {
    throw new PkiError("invalid_certificate", "The text holds no PEM block BEGIN CERTIFICATE.");
  }
  return summarise(readCertificate(der));
}

/** Reads every certificate of a text, in order; undefined when one of them is damaged. */
export function tryReadCertificates(pem: string): X509Certificate[] | undefined {
  const blocks = splitPem(pem).filter(({ label }) => label === "CERTIFICATE");
  try {
    return blocks.map(({ der }) => readCertificate(der));
  } catch {
    return undefined;
  }
}

/** @throws {PkiError} invalid_certificate */
export function readCertificate(der: Buffer): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new PkiError("invalid_certificate", "The certificate is damaged: it cannot be read as X.509.", { cause });
  }
}

function summarise(certificate: X509Certificate): CertificateSummary {
  return {
    subject: describeName(certificate.subject),
    issuer: describeName(certificate.issuer),
    serialNumber: certificate.serialNumber.toLowerCase(),
    notBefore: certificate.validFromDate.toISOString(),
    notAfter: certificate.validToDate.toISOString(),
    fingerprint: hexFingerprint(certificate),
    isCa: certificate.ca,
    derBytes: certificate.raw,
  };
}

/** SHA-256 of the DER, 64 lower-case hexadecimal digits. */
export function hexFingerprint(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(":", "").toLowerCase();
}

/** Puts on one line what Node gives as one attribute per line, or as nothing at all when the name is empty. */
export function describeName(name: string | undefined): string {
  return name?.trim().replaceAll("\n", ", ") ?? "";
}
