import { OctetString } from "asn1js";
import { type ChainLink, describe, findExtension, readAuthorityChain } from "./authority-chain.ts";
import { computeKeyIdentifier, parsePrivateKey, toSigningKey } from "./keys.ts";
import { OID } from "./object-identifiers.ts";
import { hexFingerprint } from "./parse-certificate.ts";
import { PkiError } from "./pki-error.ts";
import type { Signer } from "./sign-certificate.ts";
import { earlier, later, type Validity } from "./validity.ts";

/** A CA that is ready to sign, to be held in memory. Its private key is reachable by the functions of this package only, and cannot be exported. */
export interface Authority extends Validity {
  readonly certificatePem: string;
  /** All certificates, issuer-first, as they were loaded. */
  readonly chainPem: string;
  /** What is sent after a certificate of this authority: `chainPem` without the root, which the other side has. */
  readonly issuersPem: string;
  /** What others must trust: the last certificate of the chain. */
  readonly rootPem: string;
  /** The time in which every certificate of the chain is valid. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SHA-256 of the signing certificate, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
}

export interface AuthorityFiles {
  /** `tls.crt` of a TLS Secret: a CA certificate, or a chain issuer-first. */
  readonly certificatePem: string;
  /** `tls.key`: an EC or RSA key as PKCS#8, SEC1 or PKCS#1, not encrypted. */
  readonly privateKeyPem: string;
  readonly now: Date;
}

/** Signers live beside their authority and not in it, so that no way of printing, copying or serialising it meets a key. */
const signers = new WeakMap<Authority, Signer>();

/**
 * Loads the CA that signs certificates, and guarantees that what it signs can be verified now: the chain is in order,
 * signed, within its validity and allowed to issue, and the key is the signing certificate's.
 *
 * @throws {PkiError} any reason that is not about a request; the message names `tls.crt` or `tls.key` and the remedy
 */
export function loadAuthority({ certificatePem, privateKeyPem, now }: AuthorityFiles): Authority {
  const chain = readAuthorityChain(certificatePem);
  for (const [position, { x509 }] of chain.entries()) checkTime(describe(x509, position), validityOf(x509), now);
  const [issuer] = chain;
  const key = parsePrivateKey(privateKeyPem, "tls.key");
  const signingKey = toSigningKey(key, "tls.key");
  if (!issuer.x509.checkPrivateKey(key)) {
    throw new PkiError(
      "key_mismatch",
      "tls.key is not the key of the first certificate in tls.crt: the signing CA must stand first.",
    );
  }
  const authority = toAuthority(chain);
  signers.set(authority, { name: issuer.decoded.subject, signingKey, keyIdentifier: keyIdentifierOf(issuer) });
  return authority;
}

/**
 * Gives what signs in the name of an authority.
 *
 * @throws {PkiError} authority_expired, authority_not_yet_valid, or invalid_authority when loadAuthority did not make it
 */
export function getSigner(authority: Authority, now: Date): Signer {
  const signer = signers.get(authority);
  if (signer === undefined) {
    throw new PkiError(
      "invalid_authority",
      "The authority holds no key: pass the very object that loadAuthority returned.",
    );
  }
  checkTime("The authority", authority, now);
  return signer;
}

function toAuthority(chain: readonly [ChainLink, ...ChainLink[]]): Authority {
  const [issuer] = chain;
  const root = chain.at(-1) ?? issuer;
  const join = (links: readonly ChainLink[]): string => links.map(({ pem }) => pem).join("");
  return Object.freeze({
    certificatePem: issuer.pem,
    chainPem: join(chain),
    issuersPem: join(chain.filter(({ selfSigned }) => !selfSigned)),
    rootPem: root.pem,
    notBefore: chain.map(({ x509 }) => x509.validFromDate).reduce(later),
    notAfter: chain.map(({ x509 }) => x509.validToDate).reduce(earlier),
    fingerprint: hexFingerprint(issuer.x509),
  });
}

function validityOf({ validFromDate, validToDate }: ChainLink["x509"]): Validity {
  return { notBefore: validFromDate, notAfter: validToDate };
}

function checkTime(name: string, { notBefore, notAfter }: Validity, now: Date): void {
  if (now < notBefore) {
    const message = `${name} is valid only from ${notBefore.toISOString()}: check the clock, or wait.`;
    throw new PkiError("authority_not_yet_valid", message);
  }
  if (now >= notAfter) {
    throw new PkiError("authority_expired", `${name} expired at ${notAfter.toISOString()}: install a new one.`);
  }
}

/** The issuer's own identifier where it has one, since verifiers compare the two. */
function keyIdentifierOf({ decoded }: ChainLink): Buffer {
  const own = findExtension(decoded, OID.subjectKeyIdentifier);
  return own instanceof OctetString
    ? Buffer.from(own.valueBlock.valueHexView)
    : computeKeyIdentifier(decoded.subjectPublicKeyInfo);
}
