import { createHash, X509Certificate } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { issueClientCertificate, issueServerCertificate, splitPem } from "../src/pki/index.ts";
import { printDer, readDer } from "./_der.ts";
import { createTestPki, type TestPki } from "./_pki.ts";

const NOW = new Date("2026-11-23T10:00:00.500Z");

let pki: TestPki;

beforeAll(async () => {
  pki = await createTestPki(NOW);
});

/** The tree of a certificate, without what is new in each: serial number and signature are checked and cut, keys are named. */
function printCertificate(pem: string, issuerPem: string): string {
  const certificate = new X509Certificate(pem);
  const issuer = new X509Certificate(issuerPem);
  expect(certificate.verify(issuer.publicKey)).toBe(true);
  const [body, , signature] = readDer(certificate.raw).children;
  const serial = body?.children[1]?.content ?? Buffer.alloc(0);
  expect(serial.length).toBe(16);
  expect(serial.readUInt8(0) >> 6).toBe(0b01);
  return printDer(certificate.raw)
    .replace(serial.toString("hex"), "<serial>")
    .replace(signature?.content.toString("hex") ?? "", "<signature>")
    .replaceAll(point(certificate).toString("hex"), "<public key>")
    .replaceAll(keyIdentifier(certificate), "<own key identifier>")
    .replaceAll(keyIdentifier(issuer), "<issuer's key identifier>")
    .replaceAll(/PrintableString [0-9a-f]{16}\n/g, "PrintableString <hierarchy>\n");
}

function point({ publicKey }: X509Certificate): Buffer {
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  return Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}

/** RFC 5280 section 4.2.1.2 method 2. */
function keyIdentifier(certificate: X509Certificate): string {
  return `4${createHash("sha1").update(point(certificate)).digest("hex").slice(-15)}`;
}

function indent(text: string, depth: number): string {
  return text.trim().replace(/^/gm, "  ".repeat(depth));
}

const ECDSA_WITH_SHA256 = `
SEQUENCE
  OID 1.2.840.10045.4.3.2`;

const P256_KEY = `
SEQUENCE
  SEQUENCE
    OID 1.2.840.10045.2.1
    OID 1.2.840.10045.3.1.7
  BIT_STRING 00<public key>`;

function name(attributes: Record<string, string>): string {
  const types: Record<string, string> = {
    C: "2.5.4.6\n      PrintableString",
    O: "2.5.4.10\n      UTF8String",
    CN: "2.5.4.3\n      UTF8String",
    serialNumber: "2.5.4.5\n      PrintableString",
  };
  const sets = Object.entries(attributes).map(([key, value]) => {
    return `\n  SET\n    SEQUENCE\n      OID ${types[key]} ${value}`;
  });
  return `SEQUENCE${sets.join("")}`;
}

const policies = (...oids: string[]) => `SEQUENCE${oids.map((policy) => `\n  SEQUENCE\n    OID ${policy}`).join("")}`;

const AUTHORITY_KEY_IDENTIFIER = `
SEQUENCE
  OID 2.5.29.35
  OCTET_STRING holding
    SEQUENCE
      [0] <issuer's key identifier>`;
const SUBJECT_KEY_IDENTIFIER = `
SEQUENCE
  OID 2.5.29.14
  OCTET_STRING holding
    OCTET_STRING <own key identifier>`;

function extension(oid: string, critical: boolean, value: string): string {
  const flag = critical ? "\n  BOOLEAN ff" : "";
  return `SEQUENCE\n  OID ${oid}${flag}\n  OCTET_STRING holding\n${indent(value, 2)}`;
}

interface Expected {
  issuer: string;
  subject: string;
  notBefore: string;
  notAfter: string;
  extensions: string[];
}

function certificate({ issuer, subject, notBefore, notAfter, extensions }: Expected): string {
  return `SEQUENCE
  SEQUENCE
    [0]
      INTEGER 02
    INTEGER <serial>
${indent(ECDSA_WITH_SHA256, 2)}
${indent(issuer, 2)}
    SEQUENCE
      ${notBefore}
      ${notAfter}
${indent(subject, 2)}
${indent(P256_KEY, 2)}
    [3]
      SEQUENCE
${indent(extensions.map((each) => each.trim()).join("\n"), 4)}
${indent(ECDSA_WITH_SHA256, 1)}
  BIT_STRING <signature>`;
}

const ca = (CN: string) => name({ C: "AU", O: "CACTUS", CN, serialNumber: "<hierarchy>" });
const ROOT = ca("IEEE 2030.5 Root");
const MCA = ca("IEEE 2030.5 MCA");
const MICA = ca("IEEE 2030.5 MICA");
const NOT_BEFORE = "UTCTime 261123090000Z";
const CA_KEY_USAGE = extension("2.5.29.15", true, "BIT_STRING 0106");
const CA_POLICIES = policies(
  "1.3.6.1.4.1.40732.1.1",
  "1.3.6.1.4.1.40732.1.2",
  "1.3.6.1.4.1.40732.1.3",
  "1.3.6.1.4.1.40732.2.1",
  "1.3.6.1.4.1.40732.2.3",
);
const LEAF_KEY_USAGE = extension("2.5.29.15", true, "BIT_STRING 0388");

function hardwareModule(serial: string): string {
  return `
[0]
  OID 1.3.6.1.5.5.7.8.4
  [0]
    SEQUENCE
      OID 1.3.6.1.4.1.28547.1.1.1
      OCTET_STRING ${Buffer.from(serial).toString("hex")}`;
}

test("SERCA: self-signed, any policy, no limit of depth, 35 years", () => {
  const { sercaPem } = pki.hierarchy;
  expect(printCertificate(sercaPem, sercaPem)).toBe(
    certificate({
      issuer: ROOT,
      subject: ROOT,
      notBefore: NOT_BEFORE,
      notAfter: "GeneralizedTime 20611123100000Z",
      extensions: [
        extension("2.5.29.19", true, "SEQUENCE\n  BOOLEAN ff"),
        CA_KEY_USAGE,
        extension("2.5.29.32", true, policies("2.5.29.32.0")),
        SUBJECT_KEY_IDENTIFIER,
      ],
    }),
  );
});

test.each([
  {
    what: "MCA: issues CAs of one level only, 25 years",
    own: "mcaPem",
    issuers: "sercaPem",
    issuer: ROOT,
    subject: MCA,
    notAfter: "GeneralizedTime 20511123100000Z",
    pathLength: "01",
  },
  {
    what: "MICA: issues no CAs, 15 years",
    own: "micaPem",
    issuers: "mcaPem",
    issuer: MCA,
    subject: MICA,
    notAfter: "UTCTime 411123100000Z",
    pathLength: "00",
  },
] as const)("$what", ({ own, issuers, issuer, subject, notAfter, pathLength }) => {
  expect(printCertificate(pki.hierarchy[own], pki.hierarchy[issuers])).toBe(
    certificate({
      issuer,
      subject,
      notBefore: NOT_BEFORE,
      notAfter,
      extensions: [
        extension("2.5.29.19", true, `SEQUENCE\n  BOOLEAN ff\n  INTEGER ${pathLength}`),
        CA_KEY_USAGE,
        extension("2.5.29.32", true, CA_POLICIES),
        AUTHORITY_KEY_IDENTIFIER,
        SUBJECT_KEY_IDENTIFIER,
      ],
    }),
  );
});

test("device: empty subject, critical hardware module name, device and test policies, no extended key usage", async () => {
  const { certificatePem } = await issueClientCertificate(pki.authority, {
    kind: "device",
    pen: 28547,
    hardwareSerial: "cactus-1",
    now: NOW,
  });
  expect(printCertificate(certificatePem, pki.hierarchy.micaPem)).toBe(
    certificate({
      issuer: MICA,
      subject: "SEQUENCE",
      notBefore: NOT_BEFORE,
      notAfter: "UTCTime 311122100000Z",
      extensions: [
        LEAF_KEY_USAGE,
        extension(
          "2.5.29.32",
          true,
          policies("1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.1.3", "1.3.6.1.4.1.40732.2.1"),
        ),
        extension("2.5.29.17", true, `SEQUENCE\n${indent(hardwareModule("cactus-1"), 1)}`),
        AUTHORITY_KEY_IDENTIFIER,
        SUBJECT_KEY_IDENTIFIER,
      ],
    }),
  );
});

test("aggregator: named, for client and server, its policies", async () => {
  const { certificatePem } = await issueClientCertificate(pki.authority, {
    kind: "aggregator",
    pen: 28547,
    hardwareSerial: "cactus-2",
    commonName: "Aggregator é",
    dnsNames: ["Notify.example.com"],
    now: NOW,
  });
  const dnsName = `[2] ${Buffer.from("notify.example.com").toString("hex")}`;
  expect(printCertificate(certificatePem, pki.hierarchy.micaPem)).toBe(
    certificate({
      issuer: MICA,
      subject: name({ C: "AU", O: "CACTUS", CN: "Aggregator é" }),
      notBefore: NOT_BEFORE,
      notAfter: "UTCTime 281122100000Z",
      extensions: [
        LEAF_KEY_USAGE,
        extension("2.5.29.37", false, "SEQUENCE\n  OID 1.3.6.1.5.5.7.3.2\n  OID 1.3.6.1.5.5.7.3.1"),
        extension("2.5.29.32", true, policies("1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.2.3")),
        extension("2.5.29.17", false, `SEQUENCE\n${indent(hardwareModule("cactus-2"), 1)}\n  ${dnsName}`),
        AUTHORITY_KEY_IDENTIFIER,
        SUBJECT_KEY_IDENTIFIER,
      ],
    }),
  );
});

test("server: named, for servers, names and addresses", async () => {
  const { certificatePem } = await issueServerCertificate(pki.authority, {
    dnsNames: ["cactus.example.com"],
    ipAddresses: ["127.0.0.1"],
    now: NOW,
  });
  const [leaf, ...issuers] = splitPem(certificatePem).map(({ pem }) => pem);
  expect(issuers).toEqual([pki.hierarchy.micaPem, pki.hierarchy.mcaPem]);
  expect(printCertificate(leaf ?? "", pki.hierarchy.micaPem)).toBe(
    certificate({
      issuer: MICA,
      subject: name({ CN: "cactus.example.com" }),
      notBefore: NOT_BEFORE,
      notAfter: "UTCTime 271225100000Z",
      extensions: [
        LEAF_KEY_USAGE,
        extension("2.5.29.37", false, "SEQUENCE\n  OID 1.3.6.1.5.5.7.3.1"),
        extension("2.5.29.32", false, policies("1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.2.1")),
        extension(
          "2.5.29.17",
          false,
          `SEQUENCE\n  [2] ${Buffer.from("cactus.example.com").toString("hex")}\n  [7] 7f000001`,
        ),
        AUTHORITY_KEY_IDENTIFIER,
        SUBJECT_KEY_IDENTIFIER,
      ],
    }),
  );
});

test("a server whose names are all too long for a subject has them in a critical extension", async () => {
  const host = `${"a".repeat(60)}.${"b".repeat(60)}.example`;
  const { certificatePem } = await issueServerCertificate(pki.authority, { dnsNames: [host], now: NOW });
  const { subject, subjectAltName } = new X509Certificate(certificatePem);
  expect([subject, subjectAltName]).toEqual([undefined, `DNS:${host}`]);
  expect(printDer(new X509Certificate(certificatePem).raw)).toMatch(/OID 2\.5\.29\.17\n +BOOLEAN ff/);
});
