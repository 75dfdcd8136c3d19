import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { bitString, integer, octetString, oid, sequence, TAG, writeDer } from "./_der.ts";

/** Makes certificates and signing requests of every kind, good and bad, without the library under test. */

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** Kinds of key that a CA or a client may come with. */
export const KEY_KINDS = {
  "P-256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "P-384": () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "P-521": () => generateKeyPairSync("ec", { namedCurve: "P-521" }),
  secp256k1: () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
  "RSA-1024": () => generateKeyPairSync("rsa", { modulusLength: 1024 }),
  "RSA-2048": () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "RSA-3072": () => generateKeyPairSync("rsa", { modulusLength: 3072 }),
  Ed25519: () => generateKeyPairSync("ed25519"),
} as const satisfies Record<string, () => KeyPair>;
export type KeyKind = keyof typeof KEY_KINDS;

export function privateKeyPem(key: KeyObject, type: "pkcs8" | "sec1" | "pkcs1" = "pkcs8"): string {
  return key.export({ format: "pem", type }).toString();
}

const SIGNATURES: Record<string, readonly [algorithm: Buffer, hash: string | null]> = {
  ec: [sequence(oid("1.2.840.10045.4.3.2")), "sha256"],
  rsa: [sequence(oid("1.2.840.113549.1.1.11"), writeDer(TAG.NULL)), "sha256"],
  ed25519: [sequence(oid("1.3.101.112")), null],
};

/** Signs the body of a certificate or a request, and puts the three parts together. */
function signed(body: Buffer, key: KeyObject): Buffer {
  const [algorithm, hash] = SIGNATURES[key.asymmetricKeyType ?? ""] ?? [];
  if (algorithm === undefined || hash === undefined) throw new Error(`no signature for ${key.asymmetricKeyType}`);
  return sequence(body, algorithm, bitString(sign(hash, body, key)));
}

export function toPem(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END ${label}-----\n`;
}

export function spki(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" });
}

export function commonName(text: string): Buffer {
  const pair = sequence(oid("2.5.4.3"), writeDer(TAG.UTF8String, Buffer.from(text)));
  return sequence(writeDer(TAG.SET, pair));
}

export interface CaOptions {
  name: Buffer;
  keys: KeyPair;
  /** Itself when left out. */
  issuer?: { name: Buffer; keys: KeyPair };
  notBefore?: Date;
  notAfter?: Date;
  isCa?: boolean;
  pathLength?: number;
  /** First octet of KeyUsage; 0x06 is keyCertSign and cRLSign; null leaves the extension out. */
  keyUsage?: number | null;
  subjectKeyIdentifier?: Buffer;
}

/** Makes the PEM of a CA certificate that is as good or bad as the options say. */
export function makeCa(options: CaOptions): string {
  const { name, keys, issuer = { name, keys }, isCa = true, pathLength, keyUsage = 0x06 } = options;
  const { notBefore = new Date("2026-01-01T00:00:00Z"), notAfter = new Date("2046-01-01T00:00:00Z") } = options;
  const constraints = sequence(
    ...(isCa ? [writeDer(TAG.BOOLEAN, Buffer.from([0xff]))] : []),
    ...(pathLength === undefined ? [] : [integer(pathLength)]),
  );
  const extensions = [
    extension("2.5.29.19", constraints),
    ...(keyUsage === null ? [] : [extension("2.5.29.15", bitString(Buffer.from([keyUsage]), 1))]),
    ...(options.subjectKeyIdentifier ? [extension("2.5.29.14", octetString(options.subjectKeyIdentifier))] : []),
  ];
  const [algorithm] = SIGNATURES[issuer.keys.privateKey.asymmetricKeyType ?? ""] ?? [];
  if (algorithm === undefined) throw new Error("no signature for this kind of key");
  const body = sequence(
    writeDer(0xa0, integer(2)),
    integer(0x51, ...Buffer.from(String(serial++))),
    algorithm,
    issuer.name,
    sequence(generalizedTime(notBefore), generalizedTime(notAfter)),
    name,
    spki(keys.publicKey),
    writeDer(0xa3, sequence(...extensions)),
  );
  return toPem("CERTIFICATE", signed(body, issuer.keys.privateKey));
}

let serial = 1;

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), writeDer(TAG.BOOLEAN, Buffer.from([0xff])), octetString(value));
}

/** RFC 5280 wants UTCTime before 2050, but every reader takes this one, and the reader is not what is tested. */
function generalizedTime(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/[-:T]|\.\d+/g, "")}`;
  return writeDer(TAG.GeneralizedTime, Buffer.from(digits));
}

export interface CsrOptions {
  keys: KeyPair;
  /** Signs in place of the key that is requested. */
  signer?: KeyObject;
  subject?: Buffer;
  /** Replaces the public key's own encoding. */
  publicKeyInfo?: Buffer;
  attributes?: Buffer[];
}

/** Makes the DER of a PKCS#10 request. */
export function makeCsrDer({ keys, signer, subject, publicKeyInfo, attributes = [] }: CsrOptions): Buffer {
  const body = sequence(
    integer(0),
    subject ?? sequence(),
    publicKeyInfo ?? spki(keys.publicKey),
    writeDer(0xa0, ...attributes),
  );
  return signed(body, signer ?? keys.privateKey);
}

export function makeCsr(options: CsrOptions): string {
  return toPem("CERTIFICATE REQUEST", makeCsrDer(options));
}
