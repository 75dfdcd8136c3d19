import { randomBytes, type webcrypto } from "node:crypto";
import { Integer } from "asn1js";
import { Certificate, type Extension, type RelativeDistinguishedNames } from "pkijs";
import { engine, SIGNATURE_HASH } from "./engine.ts";
import { authorityKeyIdentifier, subjectKeyIdentifier } from "./extensions.ts";
import { computeKeyIdentifier, exportPublicKeyInfo } from "./keys.ts";
import { toTime, type Validity } from "./validity.ts";

const X509_V3 = 2;

/** What signs a certificate. */
export interface Signer {
  readonly name: RelativeDistinguishedNames;
  readonly signingKey: webcrypto.CryptoKey;
  /** Of the signer's own certificate; none for a certificate that signs itself. */
  readonly keyIdentifier: Buffer | undefined;
}

export interface CertificateContents {
  readonly subject: RelativeDistinguishedNames;
  readonly publicKey: webcrypto.CryptoKey;
  readonly validity: Validity;
  /** All but the key identifiers, which follow them in the certificate. */
  readonly extensions: readonly Extension[];
}

/** Makes a certificate with a random serial number of 126 bits, signed with SHA-256, and returns its DER. */
export async function signCertificate(signer: Signer, contents: CertificateContents): Promise<Buffer> {
  const subjectPublicKeyInfo = await exportPublicKeyInfo(contents.publicKey);
  const certificate = new Certificate({
    version: X509_V3,
    serialNumber: new Integer({ valueHex: randomSerialNumber() }),
    issuer: signer.name,
    subject: contents.subject,
    notBefore: toTime(contents.validity.notBefore),
    notAfter: toTime(contents.validity.notAfter),
    subjectPublicKeyInfo,
    extensions: [
      ...contents.extensions,
      ...(signer.keyIdentifier === undefined ? [] : [authorityKeyIdentifier(signer.keyIdentifier)]),
      subjectKeyIdentifier(computeKeyIdentifier(subjectPublicKeyInfo)),
    ],
  });
  await certificate.sign(signer.signingKey, SIGNATURE_HASH, engine);
  return Buffer.from(certificate.toSchema().toBER());
}

/** Positive and without a leading zero octet: the two highest bits are 01. */
function randomSerialNumber(): Buffer {
  const serial = randomBytes(16);
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  return serial;
}
