import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import {
  computeLfdi,
  computeSfdi,
  issueClientCertificate,
  loadAuthority,
  parseCertificate,
  splitPem,
} from "../src/pki/index.ts";
import { commonName, KEY_KINDS, type KeyPair, makeCa, makeCsr, makeCsrDer, spki, toPem } from "./_certificate-maker.ts";
import { bitString, integer, octetString, oid, sequence, TAG, writeDer } from "./_der.ts";
import { createTestPki, type TestPki } from "./_pki.ts";

const NOW = new Date("2026-11-23T10:00:00.500Z");
const DEVICE = { kind: "device", pen: 28547, hardwareSerial: "cactus-1", now: NOW } as const;

let pki: TestPki;
let keys: KeyPair;

beforeAll(async () => {
  pki = await createTestPki(NOW);
  keys = KEY_KINDS["P-256"]();
});

describe("what is returned", () => {
  test("with a key made here", async () => {
    const issued = await issueClientCertificate(pki.authority, DEVICE);
    const certificate = new X509Certificate(issued.derBytes);
    const fingerprint = createHash("sha256").update(certificate.raw).digest("hex");
    const { micaPem, mcaPem } = pki.hierarchy;
    expect(issued).toEqual({
      certificatePem: certificate.toString(),
      chainPem: certificate.toString() + micaPem + mcaPem,
      derBytes: certificate.raw,
      lfdi: fingerprint.slice(0, 40),
      sfdi: computeSfdi(fingerprint.slice(0, 40)),
      serialNumber: certificate.serialNumber.toLowerCase(),
      notBefore: "2026-11-23T09:00:00.000Z",
      notAfter: "2031-11-22T10:00:00.000Z",
      privateKeyPem: expect.stringMatching(/^-----BEGIN PRIVATE KEY-----\n/),
    });
    expect(certificate.checkPrivateKey(createPrivateKey(issued.privateKeyPem ?? ""))).toBe(true);
    expect(splitPem(issued.chainPem).map(({ der }) => parseCertificate(der).isCa)).toEqual([false, true, true]);
  });

  test("with a key of the client's own, there is no private key", async () => {
    const issued = await issueClientCertificate(pki.authority, { ...DEVICE, csrPem: makeCsr({ keys }) });
    expect(issued.privateKeyPem).toBeNull();
    expect(new X509Certificate(issued.certificatePem).checkPrivateKey(keys.privateKey)).toBe(true);
  });

  test("each certificate is another, also for the same request: serial number, LFDI", async () => {
    const csrPem = makeCsr({ keys });
    const request = { ...DEVICE, csrPem };
    const issued = await Promise.all(Array.from({ length: 50 }, () => issueClientCertificate(pki.authority, request)));
    expect(new Set(issued.map(({ serialNumber }) => serialNumber)).size).toBe(50);
    expect(new Set(issued.map(({ derBytes }) => computeLfdi(derBytes))).size).toBe(50);
  });

  test("signatures and requests of every shape of r and s are right", async () => {
    const { publicKey } = new X509Certificate(pki.hierarchy.micaPem);
    for (let round = 0; round < 300; round += 1) {
      const request = { ...DEVICE, csrPem: makeCsr({ keys }) };
      const { certificatePem } = await issueClientCertificate(pki.authority, request);
      expect(new X509Certificate(certificatePem).verify(publicKey)).toBe(true);
    }
  });

  test("an aggregator without a CA organisation has a common name alone", async () => {
    const certificatePem = makeCa({ name: commonName("ca"), keys });
    const privateKeyPem = keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    const authority = loadAuthority({ certificatePem, privateKeyPem, now: NOW });
    const request = { ...DEVICE, kind: "aggregator", commonName: "agg" } as const;
    const issued = await issueClientCertificate(authority, request);
    expect(parseCertificate(issued.certificatePem)).toMatchObject({ subject: "CN=agg", issuer: "CN=ca" });
    expect(new X509Certificate(issued.certificatePem).subjectAltName).toBe("othername:<unsupported>");
  });
});

describe("a signing request", () => {
  const issue = (csrPem: string) => issueClientCertificate(pki.authority, { ...DEVICE, csrPem });
  const refused = (words: string) =>
    expect.objectContaining({ name: "PkiError", reason: "invalid_csr", message: expect.stringContaining(words) });

  test("gives its public key and nothing else", async () => {
    const wishes = sequence(oid("2.5.29.19"), octetString(sequence(writeDer(TAG.BOOLEAN, Buffer.from([0xff])))));
    const attribute = sequence(oid("1.2.840.113549.1.9.14"), writeDer(TAG.SET, sequence(wishes)));
    const csrPem = makeCsr({ keys, subject: commonName("admin"), attributes: [attribute] });
    const issued = new X509Certificate((await issue(csrPem)).certificatePem);
    expect([issued.subject, issued.ca, issued.publicKey.equals(keys.publicKey)]).toEqual([undefined, false, true]);
  });

  test.each([
    ["keytool's label", (pem: string) => pem.replaceAll("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")],
    ["text before it, as openssl req -text writes", (pem: string) => `Certificate Request:\n    Data:\n${pem}`],
    ["CRLF", (pem: string) => pem.replaceAll("\n", "\r\n")],
  ])("is taken with %s", async (_what, change) => {
    const { certificatePem } = await issue(change(makeCsr({ keys })));
    expect(new X509Certificate(certificatePem).publicKey.equals(keys.publicKey)).toBe(true);
  });

  const P256 = sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"));
  const withKey = (publicKeyInfo: Buffer) => () => makeCsr({ keys, publicKeyInfo });
  const cut = (bytes: number) => () => toPem("CERTIFICATE REQUEST", makeCsrDer({ keys }).subarray(0, bytes));
  const raw = (der: Buffer) => () => toPem("CERTIFICATE REQUEST", der);
  const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth * 2, Buffer.from([0x30, 0x80]))]);

  const hostile: [string, () => string, string][] = [
    ["empty text", () => "", "must be PEM"],
    ["garbage", () => "garbage", "must be PEM"],
    ["DER in place of PEM", () => makeCsrDer({ keys }).toString("latin1"), "must be PEM"],
    ["a huge text", () => "A".repeat(16_385), "longer than 16384"],
    ["a huge request", () => makeCsr({ keys, subject: commonName("x".repeat(20_000)) }), "longer than 16384"],
    ["two requests", () => makeCsr({ keys }) + makeCsr({ keys }), "there are 2"],
    ["a certificate", () => makeCa({ name: commonName("x"), keys }), "not a CERTIFICATE"],
    [
      "a certificate under the label of a request",
      () => makeCa({ name: commonName("x"), keys }).replaceAll("CERTIFICATE", "CERTIFICATE REQUEST"),
      "damaged",
    ],
    ["a private key", () => keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString(), "not a PRIVATE KEY"],
    ["a block with nothing in it", raw(Buffer.alloc(0)), "damaged"],
    ["random bytes", raw(Buffer.from("00112233445566778899", "hex")), "damaged"],
    ["a truncated request", cut(100), "damaged"],
    ["a request without its last byte", cut(-1), "damaged"],
    [
      "bytes after the request",
      raw(Buffer.concat([makeCsrDer({ keys: KEY_KINDS["P-256"]() }), Buffer.from([0])])),
      "damaged",
    ],
    ["sequences within sequences", raw(nested(5_000)), "damaged"],
    ["an RSA key", () => makeCsr({ keys: KEY_KINDS["RSA-2048"]() }), "P-256"],
    ["a key on P-384", () => makeCsr({ keys: KEY_KINDS["P-384"]() }), "P-256"],
    ["a key on secp256k1", () => makeCsr({ keys: KEY_KINDS.secp256k1() }), "P-256"],
    ["an Ed25519 key", () => makeCsr({ keys: KEY_KINDS.Ed25519() }), "P-256"],
    [
      "a curve given by its parameters",
      withKey(sequence(sequence(oid("1.2.840.10045.2.1"), sequence(integer(1))), bitString(Buffer.alloc(65, 4)))),
      "P-256",
    ],
    [
      "a point that is not on the curve",
      withKey(sequence(P256, bitString(Buffer.alloc(65, 4)))),
      "not an uncompressed point",
    ],
    ["the point at infinity", withKey(sequence(P256, bitString(Buffer.from([0])))), "not an uncompressed point"],
    ["a key cut short", withKey(sequence(P256, bitString(Buffer.alloc(20, 4)))), "not an uncompressed point"],
    ["a compressed point", () => withKey(sequence(P256, bitString(compressedPoint())))(), "uncompressed point"],
    ["a stranger's key", () => makeCsr({ keys, signer: KEY_KINDS["P-256"]().privateKey }), "does not fit"],
    [
      "an RSA signature",
      () => makeCsr({ keys, signer: KEY_KINDS["RSA-2048"]().privateKey }),
      "must be signed with ECDSA",
    ],
    ["a signature with SHA-1", () => resigned({ algorithm: "1.2.840.10045.4.1" }), "SHA-256, SHA-384 or SHA-512"],
    ["a signature of zeros", () => resigned({ signature: sequence(integer(0), integer(0)) }), "signature"],
    [
      "a signature too long",
      () => resigned({ signature: sequence(integer(...Buffer.alloc(40, 1)), integer(1)) }),
      "signature",
    ],
    ["a signature that is none", () => resigned({ signature: Buffer.from("junk") }), "signature"],
  ];

  /** A request whose signature was replaced. */
  function resigned({ algorithm = "1.2.840.10045.4.3.2", signature = sequence(integer(1), integer(1)) }): string {
    const body = sequence(integer(0), sequence(), spki(keys.publicKey), writeDer(0xa0));
    return toPem("CERTIFICATE REQUEST", sequence(body, sequence(oid(algorithm)), bitString(signature)));
  }

  test.each(hostile)("is refused: %s", async (_what, make, words) => {
    await expect(issue(make())).rejects.toThrow(refused(words));
  });

  test("whose bits flip anywhere is refused, or gives the same key", async () => {
    const der = makeCsrDer({ keys });
    for (let bit = 0; bit < der.length * 8; bit += 5) {
      const flipped = Buffer.from(der);
      flipped[bit >> 3] = flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7));
      const outcome = await issue(toPem("CERTIFICATE REQUEST", flipped)).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toEqual(refused(""));
      else expect(outcome).toSatisfy(holdsTheKey);
    }
  });

  function holdsTheKey({ derBytes }: { derBytes: Buffer }): boolean {
    return new X509Certificate(derBytes).publicKey.equals(keys.publicKey);
  }

  function compressedPoint(): Buffer {
    const { x = "", y = "" } = keys.publicKey.export({ format: "jwk" });
    const parity = 2 + ((Buffer.from(y, "base64url").at(-1) ?? 0) & 1);
    return Buffer.concat([Buffer.from([parity]), Buffer.from(x, "base64url")]);
  }
});

describe("a request's fields", () => {
  const refused = (word: string) =>
    expect.objectContaining({ reason: "invalid_input", message: expect.stringContaining(word) });
  const aggregator = { ...DEVICE, kind: "aggregator", commonName: "agg" } as const;

  test.each([
    [{ ...DEVICE, pen: -1 }, "pen"],
    [{ ...DEVICE, hardwareSerial: "" }, "hardwareSerial"],
    [{ ...DEVICE, validityDays: 0 }, "validityDays"],
    [{ ...aggregator, commonName: "" }, "CN"],
    [{ ...aggregator, dnsNames: ["https://x"] }, "dnsNames"],
  ])("%j is refused", async (request, word) => {
    await expect(issueClientCertificate(pki.authority, request)).rejects.toThrow(refused(word));
  });
});
