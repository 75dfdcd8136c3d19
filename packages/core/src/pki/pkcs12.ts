import { createHash, randomBytes } from "node:crypto";
import { BmpString, OctetString } from "asn1js";
import {
  Attribute,
  AuthenticatedSafe,
  CertBag,
  Certificate,
  PFX,
  PKCS8ShroudedKeyBag,
  PrivateKeyInfo,
  SafeBag,
  SafeContents,
} from "pkijs";
import { engine } from "./engine.ts";
import { parsePrivateKey } from "./keys.ts";
import { OID } from "./object-identifiers.ts";
import { readCertificate } from "./parse-certificate.ts";
import { splitPem } from "./pem.ts";
import { PkiError } from "./pki-error.ts";

/** OpenSSL's own count. More would slow only who guesses a weak password, and generatePassword makes strong ones. */
const ITERATIONS = 2048;
const NOT_ENCRYPTED = 0;
const PASSWORD_ENCRYPTED = 1;
const PASSWORD_INTEGRITY = 0;

export interface Pkcs12Options {
  readonly certificatePem: string;
  /** Further certificates; the first may be the certificate itself again. */
  readonly chainPem: string;
  readonly privateKeyPem: string;
  /** The name (Java: alias) under which programs show the entry. */
  readonly friendlyName: string;
  /** Printable ASCII only: Java reads others differently from OpenSSL. */
  readonly password: string;
}

/** Makes a password of 128 random bits, in characters that no shell, option parser or key store misreads. */
export function generatePassword(): string {
  return randomBytes(16).toString("hex");
}

/**
 * Builds a PKCS#12 file that OpenSSL 1.1+, Java 8u301+, Windows 10+ and Python's cryptography open: AES-256-CBC under
 * PBKDF2 with HMAC-SHA-256, and a MAC with SHA-256.
 *
 * @throws {PkiError} invalid_input, invalid_certificate, invalid_key, key_encrypted, key_mismatch
 */
export async function buildPkcs12(options: Pkcs12Options): Promise<Buffer> {
  const { certificatePem, chainPem, privateKeyPem, friendlyName } = options;
  if (friendlyName === "") throw new PkiError("invalid_input", "friendlyName is empty: give the entry a name.");
  const password = encodePassword(options.password);
  const [leaf, ...issuers] = collectCertificates(certificatePem, chainPem);
  const key = parsePrivateKey(privateKeyPem, "privateKeyPem");
  if (leaf === undefined || !readCertificate(leaf).checkPrivateKey(key)) {
    throw new PkiError("key_mismatch", "privateKeyPem is not the key of certificatePem.");
  }
  const attributes = entryAttributes(friendlyName, leaf);
  const encryption = { ...ENCRYPTION, password };
  const keyBag = new PKCS8ShroudedKeyBag({
    parsedValue: PrivateKeyInfo.fromBER(key.export({ format: "der", type: "pkcs8" })),
  });
  await keyBag.makeInternalValues(encryption, engine);
  const keyEntry = new SafeBag({ bagId: OID.pkcs12KeyBag, bagValue: keyBag, bagAttributes: attributes });
  const certificateEntries = [certificateBag(leaf, attributes), ...issuers.map((issuer) => certificateBag(issuer))];
  return await seal(keyEntry, certificateEntries, encryption);
}

const ENCRYPTION = {
  contentEncryptionAlgorithm: { name: "AES-CBC", length: 256 },
  hmacHashAlgorithm: "SHA-256",
  iterationCount: ITERATIONS,
};

async function seal(
  keyEntry: SafeBag,
  certificateEntries: SafeBag[],
  encryption: typeof ENCRYPTION & { password: ArrayBuffer },
): Promise<Buffer> {
  const authenticatedSafe = new AuthenticatedSafe({
    parsedValue: {
      safeContents: [
        { privacyMode: PASSWORD_ENCRYPTED, value: new SafeContents({ safeBags: certificateEntries }) },
        { privacyMode: NOT_ENCRYPTED, value: new SafeContents({ safeBags: [keyEntry] }) },
      ],
    },
  });
  await authenticatedSafe.makeInternalValues({ safeContents: [encryption, {}] }, engine);
  const pfx = new PFX({ parsedValue: { integrityMode: PASSWORD_INTEGRITY, authenticatedSafe } });
  const { password, iterationCount: iterations, hmacHashAlgorithm } = encryption;
  await pfx.makeInternalValues(
    { password, iterations, hmacHashAlgorithm, pbkdf2HashAlgorithm: hmacHashAlgorithm },
    engine,
  );
  return Buffer.from(pfx.toSchema().toBER());
}

function certificateBag(der: Buffer, bagAttributes?: Attribute[]): SafeBag {
  const bagValue = new CertBag({ parsedValue: Certificate.fromBER(der) });
  return new SafeBag({ bagId: OID.pkcs12CertBag, bagValue, ...(bagAttributes && { bagAttributes }) });
}

/** The same on key and certificate, which is how programs find that the two belong together. */
function entryAttributes(friendlyName: string, leaf: Buffer): Attribute[] {
  const localKeyId = createHash("sha1").update(leaf).digest();
  return [
    new Attribute({ type: OID.friendlyName, values: [new BmpString({ value: friendlyName })] }),
    new Attribute({ type: OID.localKeyId, values: [new OctetString({ valueHex: localKeyId })] }),
  ];
}

function collectCertificates(certificatePem: string, chainPem: string): Buffer[] {
  const blocks = splitPem(`${certificatePem}\n${chainPem}`).filter(({ label }) => label === "CERTIFICATE");
  const byContent = new Map(blocks.map(({ der }) => [der.toString("base64"), der]));
  return [...byContent.values()];
}

function encodePassword(password: string): ArrayBuffer {
  if (!/^[\x20-\x7e]+$/.test(password)) {
    throw new PkiError("invalid_input", "password must be printable ASCII and not empty.");
  }
  return new TextEncoder().encode(password).buffer;
}
