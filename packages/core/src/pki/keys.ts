import { createHash, createPrivateKey, type KeyObject, webcrypto } from "node:crypto";
import { PublicKeyInfo } from "pkijs";
import { engine, SIGNATURE_HASH } from "./engine.ts";
import { splitPem, toPem } from "./pem.ts";
import { PkiError } from "./pki-error.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256" };
const CURVES: Record<string, string> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };

/** Makes a P-256 key pair, the only kind that IEEE 2030.5 section 6.11 allows. */
export async function generateKeyPair(extractable: boolean): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(P256, extractable, ["sign", "verify"]);
}

export async function exportPrivateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return toPem("PRIVATE KEY", await webcrypto.subtle.exportKey("pkcs8", key));
}

export async function exportPublicKeyInfo(key: webcrypto.CryptoKey): Promise<PublicKeyInfo> {
  return PublicKeyInfo.fromBER(await engine.exportKey("spki", key));
}

/** Computes the key identifier of RFC 5280 section 4.2.1.2 method 2, which IEEE 2030.5 section 6.11.6 asks for: 0100 and the last 60 bits of the key's SHA-1. */
export function computeKeyIdentifier(publicKeyInfo: PublicKeyInfo): Buffer {
  const identifier = createHash("sha1")
    .update(publicKeyInfo.subjectPublicKey.valueBlock.valueHexView)
    .digest()
    .subarray(-8);
  identifier[0] = 0x40 | ((identifier[0] ?? 0) & 0x0f);
  return identifier;
}

/**
 * Reads the private key of a PEM text: PKCS#8, SEC1 (also after the `EC PARAMETERS` block that OpenSSL writes) or PKCS#1.
 *
 * @throws {PkiError} key_encrypted, or invalid_key when there is not exactly one readable private key
 */
export function parsePrivateKey(pem: string, field: string): KeyObject {
  const blocks = splitPem(pem).filter(({ label }) => label.endsWith("PRIVATE KEY"));
  const [block] = blocks;
  if (block === undefined || blocks.length > 1) {
    throw new PkiError("invalid_key", `${field} must hold exactly one private key in PEM; it holds ${blocks.length}.`);
  }
  if (block.label.startsWith("ENCRYPTED") || /^Proc-Type: 4,ENCRYPTED/m.test(block.pem)) {
    throw new PkiError(
      "key_encrypted",
      `${field} is encrypted: store it without a passphrase (openssl pkey -in … -out …).`,
    );
  }
  try {
    return createPrivateKey(block.pem);
  } catch (cause) {
    throw new PkiError("invalid_key", `${field} is damaged: it cannot be read as a ${block.label}.`, { cause });
  }
}

/**
 * Turns a private key into one that signs certificates and cannot be exported.
 *
 * @throws {PkiError} invalid_key when it is neither EC (P-256, P-384, P-521) nor RSA of 2048 bits or more
 */
export function toSigningKey(key: KeyObject, field: string): webcrypto.CryptoKey {
  const { namedCurve = "", modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const curve = CURVES[namedCurve];
  if (key.asymmetricKeyType === "ec" && curve !== undefined) {
    return key.toCryptoKey({ name: "ECDSA", namedCurve: curve }, false, ["sign"]);
  }
  if (key.asymmetricKeyType === "rsa" && modulusLength >= 2048) {
    return key.toCryptoKey({ name: "RSASSA-PKCS1-v1_5", hash: SIGNATURE_HASH }, false, ["sign"]);
  }
  throw new PkiError(
    "invalid_key",
    `${field} must be an EC key (P-256, P-384, P-521) or an RSA key of 2048 bits or more.`,
  );
}
