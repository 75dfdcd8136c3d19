import type { X509Certificate } from "node:crypto";
import { BitString } from "asn1js";
import { BasicConstraints, Certificate } from "pkijs";
import { allowsUsage } from "./extensions.ts";
import { OID } from "./object-identifiers.ts";
import { describeName, readCertificate } from "./parse-certificate.ts";
import { splitPem } from "./pem.ts";
import { PkiError } from "./pki-error.ts";

/** One certificate of an authority, in the two forms that checking and signing need. */
export interface ChainLink {
  readonly pem: string;
  readonly x509: X509Certificate;
  readonly decoded: Certificate;
  readonly selfSigned: boolean;
}

/**
 * Reads a chain issuer-first (the signing CA, then the CA that issued it, and so on) and checks that each may issue what stands before it.
 *
 * @throws {PkiError} invalid_authority, authority_not_ca, authority_chain_broken
 */
export function readAuthorityChain(pem: string): readonly [ChainLink, ...ChainLink[]] {
  const [first, ...issuers] = splitPem(pem)
    .filter(({ label }) => label === "CERTIFICATE")
    .map((block, position) => readLink(block.pem, block.der, position));
  if (first === undefined) {
    throw new PkiError(
      "invalid_authority",
      "tls.crt holds no PEM block BEGIN CERTIFICATE: store the CA certificate as PEM.",
    );
  }
  const chain = [first, ...issuers] as const;
  chain.forEach(checkMayIssue);
  issuers.forEach((issuer, position) => {
    checkIssued(chain[position] ?? first, issuer, position);
  });
  chain.forEach(checkPathLength);
  return chain;
}

function readLink(pem: string, der: Buffer, position: number): ChainLink {
  try {
    const x509 = readCertificate(der);
    const selfSigned = x509.checkIssued(x509) && x509.verify(x509.publicKey);
    return { pem, x509, decoded: Certificate.fromBER(der), selfSigned };
  } catch (cause) {
    const message = `tls.crt: certificate ${position + 1} is damaged: it cannot be read as X.509.`;
    throw new PkiError("invalid_authority", message, { cause });
  }
}

function checkMayIssue({ x509, decoded }: ChainLink, position: number): void {
  const name = describe(x509, position);
  const constraints = findExtension(decoded, OID.basicConstraints);
  if (!(constraints instanceof BasicConstraints && constraints.cA)) {
    throw new PkiError("authority_not_ca", `${name} is not a CA certificate: its basicConstraints must say CA:TRUE.`);
  }
  const usage = findExtension(decoded, OID.keyUsage);
  if (usage instanceof BitString && !allowsUsage(usage, "keyCertSign")) {
    throw new PkiError("authority_not_ca", `${name} may not sign certificates: its keyUsage must have keyCertSign.`);
  }
}

/** `position` is also how many CAs stand below, which is what a path length limits (RFC 5280 section 4.2.1.9). */
function checkPathLength({ x509, decoded }: ChainLink, position: number): void {
  const constraints = findExtension(decoded, OID.basicConstraints);
  const limit = constraints instanceof BasicConstraints ? constraints.pathLenConstraint : undefined;
  if (typeof limit === "number" && limit < position) {
    const name = describe(x509, position);
    const message = `${name} allows ${limit} CAs below it, but ${position} stand before it: have the CAs reissued.`;
    throw new PkiError("authority_chain_broken", message);
  }
}

function checkIssued(subject: ChainLink, issuer: ChainLink, position: number): void {
  const name = describe(subject.x509, position);
  if (subject.selfSigned) {
    throw new PkiError(
      "authority_chain_broken",
      `${name} is a root but not the last: order tls.crt as signing CA, its issuer, …, root.`,
    );
  }
  if (!subject.x509.checkIssued(issuer.x509)) {
    throw new PkiError(
      "authority_chain_broken",
      `${name} was not issued by the certificate after it: order tls.crt as signing CA, its issuer, …, root.`,
    );
  }
  if (!subject.x509.verify(issuer.x509.publicKey)) {
    throw new PkiError(
      "authority_chain_broken",
      `${name} is not signed with the key of the certificate after it: use certificates of one hierarchy.`,
    );
  }
}

/** Names a certificate of the chain to the operator, by its place in the file and its subject. */
export function describe(x509: X509Certificate, position: number): string {
  return `tls.crt: certificate ${position + 1} (${describeName(x509.subject)})`;
}

export function findExtension(certificate: Certificate, oid: string): unknown {
  return certificate.extensions?.find(({ extnID }) => extnID === oid)?.parsedValue;
}
