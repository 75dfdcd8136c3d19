import { buildDnsName, buildIpAddress } from "./alternative-names.ts";
import { type Authority, getSigner } from "./authority.ts";
import { certificatePolicies, extendedKeyUsage, keyUsage, subjectAltName } from "./extensions.ts";
import { exportPrivateKeyPem, generateKeyPair } from "./keys.ts";
import { buildName } from "./names.ts";
import { OID, SEP2 } from "./object-identifiers.ts";
import { toPem } from "./pem.ts";
import { PkiError } from "./pki-error.ts";
import { signCertificate } from "./sign-certificate.ts";
import { buildValidityWithin } from "./validity.ts";

/** The longest that all browsers take is 398 days. */
const DEFAULT_VALIDITY_DAYS = 397;

export interface ServerCertificateRequest {
  /** Host names; one `*.` in front is allowed. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses?: readonly string[] | undefined;
  /** Cut to the authority's own validity; 397 when left out. */
  readonly validityDays?: number | undefined;
  readonly now: Date;
}

export interface ServerCertificate {
  /** The server's certificate, then its issuers up to but without the root. */
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** ISO 8601, UTC. */
  readonly notAfter: string;
}

/**
 * Issues a TLS server's certificate with a new key. IEEE 2030.5 clients find the policies of a device in it; they are not
 * critical, for clients that know nothing of them.
 *
 * @throws {PkiError} invalid_input, or what getSigner throws
 */
export async function issueServerCertificate(
  authority: Authority,
  { dnsNames, ipAddresses = [], validityDays = DEFAULT_VALIDITY_DAYS, now }: ServerCertificateRequest,
): Promise<ServerCertificate> {
  const signer = getSigner(authority, now);
  const names = [...dnsNames.map(buildDnsName), ...ipAddresses.map(buildIpAddress)];
  if (names.length === 0) {
    throw new PkiError("invalid_input", "dnsNames and ipAddresses are both empty: name the server.");
  }
  const commonName = [...dnsNames, ...ipAddresses].find((name) => name.length <= 64);
  const validity = buildValidityWithin(authority, validityDays, now);
  const { publicKey, privateKey } = await generateKeyPair(true);
  const der = await signCertificate(signer, {
    subject: buildName({ CN: commonName }),
    publicKey,
    validity,
    extensions: [
      keyUsage("digitalSignature", "keyAgreement"),
      extendedKeyUsage(OID.serverAuth),
      certificatePolicies(false, [SEP2.genericDevice, SEP2.test]),
      // Critical where the subject is empty (RFC 5280 section 4.2.1.6).
      subjectAltName(commonName === undefined, names),
    ],
  });
  return {
    certificatePem: toPem("CERTIFICATE", der) + authority.issuersPem,
    privateKeyPem: await exportPrivateKeyPem(privateKey),
    notAfter: validity.notAfter.toISOString(),
  };
}
