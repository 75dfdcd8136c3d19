import { X509Certificate } from "node:crypto";
import { inspect } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { issueClientCertificate, issueServerCertificate, loadAuthority } from "../src/pki/index.ts";
import { commonName, KEY_KINDS, type KeyPair, makeCa, privateKeyPem } from "./_certificate-maker.ts";
import { readDer } from "./_der.ts";
import { createTestPki } from "./_pki.ts";

const NOW = new Date("2026-11-23T10:00:00Z");
const NAMES = { root: commonName("root"), middle: commonName("middle"), issuing: commonName("issuing") };

let root: KeyPair;
let middle: KeyPair;
let issuing: KeyPair;
let ca: string;
let key: string;

beforeAll(() => {
  root = KEY_KINDS["P-256"]();
  middle = KEY_KINDS["P-256"]();
  issuing = KEY_KINDS["P-256"]();
  ca = makeCa({ name: NAMES.root, keys: root });
  key = privateKeyPem(root.privateKey);
});

const load = (certificatePem: string, privateKeyPem: string, now = NOW) =>
  loadAuthority({ certificatePem, privateKeyPem, now });

const refusal = (reason: string, words: string) =>
  expect.objectContaining({ name: "PkiError", reason, message: expect.stringContaining(words) });

/** Root, middle and issuing CA, each as good as the options say. */
function makeChain(
  options: { root?: object; middle?: object; issuing?: object } = {},
): Record<keyof typeof NAMES, string> {
  return {
    root: makeCa({ name: NAMES.root, keys: root, ...options.root }),
    middle: makeCa({
      name: NAMES.middle,
      keys: middle,
      issuer: { name: NAMES.root, keys: root },
      pathLength: 1,
      ...options.middle,
    }),
    issuing: makeCa({
      name: NAMES.issuing,
      keys: issuing,
      issuer: { name: NAMES.middle, keys: middle },
      pathLength: 0,
      ...options.issuing,
    }),
  };
}

describe("keys of every kind that operators have", () => {
  test.each([
    ["P-256", "pkcs8"],
    ["P-256", "sec1"],
    ["P-384", "pkcs8"],
    ["P-384", "sec1"],
    ["P-521", "pkcs8"],
    ["RSA-2048", "pkcs8"],
    ["RSA-2048", "pkcs1"],
    ["RSA-3072", "pkcs8"],
    ["RSA-3072", "pkcs1"],
  ] as const)("%s as %s signs clients and servers with SHA-256", async (kind, form) => {
    const keys = KEY_KINDS[kind]();
    const certificatePem = makeCa({ name: NAMES.root, keys });
    const authority = load(certificatePem, privateKeyPem(keys.privateKey, form));
    const client = await issueClientCertificate(authority, { kind: "device", pen: 0, hardwareSerial: "x", now: NOW });
    const server = await issueServerCertificate(authority, { dnsNames: ["a.example"], now: NOW });
    const algorithm = kind.startsWith("RSA") ? "300d06092a864886f70d01010b0500" : "300a06082a8648ce3d040302";
    for (const pem of [client.certificatePem, server.certificatePem]) {
      const issued = new X509Certificate(pem);
      expect(issued.checkIssued(new X509Certificate(certificatePem))).toBe(true);
      expect(issued.verify(keys.publicKey)).toBe(true);
      const [body, outer] = readDer(issued.raw).children;
      expect([body?.children[2]?.whole.toString("hex"), outer?.whole.toString("hex")]).toEqual([algorithm, algorithm]);
    }
    expect(client.chainPem).toBe(client.certificatePem);
  });

  test("SEC1 after the parameters that openssl ecparam writes", () => {
    const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    expect(load(ca, parameters + privateKeyPem(root.privateKey, "sec1")).certificatePem).toBe(ca);
  });

  test.each(["RSA-1024", "secp256k1", "Ed25519"] as const)("%s is refused", (kind) => {
    const keys = KEY_KINDS[kind]();
    const certificatePem = makeCa({ name: NAMES.root, keys });
    expect(() => load(certificatePem, privateKeyPem(keys.privateKey))).toThrow(refusal("invalid_key", "tls.key"));
  });

  test.each(["PKCS#8", "SEC1"])("an encrypted key (%s) is refused", (form) => {
    const type = form === "PKCS#8" ? "pkcs8" : "sec1";
    const encrypted = root.privateKey.export({ format: "pem", type, cipher: "aes-256-cbc", passphrase: "secret" });
    expect(() => load(ca, encrypted.toString())).toThrow(refusal("key_encrypted", "without a passphrase"));
  });

  test.each([
    ["nothing", ""],
    ["text", "not a key"],
    ["a damaged key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
  ])("%s in place of a key is refused", (_what, pem) => {
    expect(() => load(ca, pem)).toThrow(refusal("invalid_key", "tls.key"));
  });

  test("two keys are refused, and so is the certificate in place of the key", () => {
    expect(() => load(ca, key + key)).toThrow(refusal("invalid_key", "it holds 2"));
    expect(() => load(ca, ca)).toThrow(refusal("invalid_key", "it holds 0"));
  });

  test("another CA's key is refused", () => {
    expect(() => load(ca, privateKeyPem(middle.privateKey))).toThrow(refusal("key_mismatch", "tls.key"));
  });
});

describe("the CA certificate", () => {
  test.each([
    ["nothing", ""],
    ["text", "not a certificate"],
    ["a damaged certificate", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"],
  ])("%s is refused", (_what, pem) => {
    expect(() => load(pem, key)).toThrow(refusal("invalid_authority", "tls.crt"));
  });

  test.each([
    ["no CA", { isCa: false }, "authority_not_ca", "CA:TRUE"],
    ["keyUsage without keyCertSign", { keyUsage: 0x80 }, "authority_not_ca", "keyCertSign"],
    ["expired", { notAfter: NOW }, "authority_expired", "install a new one"],
    ["not yet valid", { notBefore: new Date(NOW.getTime() + 1_000) }, "authority_not_yet_valid", "2026-11-23T10:00:01"],
  ])("%s is refused", (_what, options, reason, words) => {
    const pem = makeCa({ name: NAMES.root, keys: root, ...options });
    expect(() => load(pem, key)).toThrow(refusal(reason, words));
    expect(() => load(pem, key)).toThrow("certificate 1 (CN=root)");
  });

  test("without keyUsage it may sign", () => {
    expect(load(makeCa({ name: NAMES.root, keys: root, keyUsage: null }), key).notAfter.getUTCFullYear()).toBe(2046);
  });

  test("its own key identifier is named by what it signs, however it was computed", async () => {
    const subjectKeyIdentifier = Buffer.from("any identifier");
    const authority = load(makeCa({ name: NAMES.root, keys: root, subjectKeyIdentifier }), key);
    const { derBytes } = await issueClientCertificate(authority, {
      kind: "device",
      pen: 0,
      hardwareSerial: "x",
      now: NOW,
    });
    expect(derBytes.includes(Buffer.concat([Buffer.from([0x30, 16, 0x80, 14]), subjectKeyIdentifier]))).toBe(true);
  });
});

describe("a chain", () => {
  test("issuer-first is taken, with text between; its validity is what all have in common", () => {
    const chain = makeChain({ root: { notAfter: new Date("2030-01-01T00:00:00Z") } });
    const text = `issuing\n${chain.issuing}\nmiddle\n${chain.middle}${chain.root}`;
    const authority = load(text, privateKeyPem(issuing.privateKey));
    expect(authority).toEqual({
      certificatePem: chain.issuing,
      chainPem: chain.issuing + chain.middle + chain.root,
      issuersPem: chain.issuing + chain.middle,
      rootPem: chain.root,
      notBefore: new Date("2026-01-01T00:00:00Z"),
      notAfter: new Date("2030-01-01T00:00:00Z"),
      fingerprint: new X509Certificate(chain.issuing).fingerprint256.replaceAll(":", "").toLowerCase(),
    });
  });

  test("without its root is taken; then all of it is sent and its last is what others trust", () => {
    const chain = makeChain();
    const authority = load(chain.issuing + chain.middle, privateKeyPem(issuing.privateKey));
    expect(authority.issuersPem).toBe(chain.issuing + chain.middle);
    expect(authority.rootPem).toBe(chain.middle);
  });

  const badChains: [string, (chain: Record<keyof typeof NAMES, string>) => string, string, string][] = [
    ["root first", (chain) => chain.root + chain.middle + chain.issuing, "authority_chain_broken", "order tls.crt"],
    ["one missing", (chain) => chain.issuing + chain.root, "authority_chain_broken", "not issued by"],
    ["one twice", (chain) => chain.issuing + chain.issuing, "authority_chain_broken", "not issued by"],
    [
      "root twice",
      (chain) => chain.issuing + chain.middle + chain.root + chain.root,
      "authority_chain_broken",
      "not the last",
    ],
  ];
  test.each(badChains)("%s is refused", (_what, order, reason, words) => {
    expect(() => load(order(makeChain()), privateKeyPem(issuing.privateKey))).toThrow(refusal(reason, words));
  });

  const stranger = { name: NAMES.root, keys: KEY_KINDS["P-256"]() };
  const badLinks: [string, Parameters<typeof makeChain>[0], string, string][] = [
    ["signed by a namesake", { middle: { issuer: stranger } }, "authority_chain_broken", "not signed with the key"],
    [
      "a path too long for the middle",
      { middle: { pathLength: 0 } },
      "authority_chain_broken",
      "allows 0 CAs below it, but 1",
    ],
    [
      "a path too long for the root",
      { root: { pathLength: 1 } },
      "authority_chain_broken",
      "allows 1 CAs below it, but 2",
    ],
    ["the middle is no CA", { middle: { isCa: false } }, "authority_not_ca", "certificate 2 (CN=middle)"],
    ["the root may not sign", { root: { keyUsage: 0x80 } }, "authority_not_ca", "certificate 3 (CN=root)"],
    ["the root has expired", { root: { notAfter: NOW } }, "authority_expired", "certificate 3 (CN=root)"],
  ];
  test.each(badLinks)("%s: refused", (_what, options, reason, words) => {
    const chain = makeChain(options);
    const pem = chain.issuing + chain.middle + chain.root;
    expect(() => load(pem, privateKeyPem(issuing.privateKey))).toThrow(refusal(reason, words));
  });
});

describe("an authority in memory", () => {
  test("shows its private key in no way of printing or copying", async () => {
    const { authority, hierarchy } = await createTestPki(NOW);
    const shown = [
      JSON.stringify(authority),
      inspect(authority, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
      JSON.stringify(structuredClone(authority)),
      Reflect.ownKeys(authority).join(),
    ].join("\n");
    expect(shown).not.toContain("PRIVATE");
    for (const line of hierarchy.micaPrivateKeyPem.split("\n").slice(1, -2)) expect(shown).not.toContain(line);
    expect(shown).not.toContain("CryptoKey");
  });

  test("a copy of it cannot sign", async () => {
    const { authority } = await createTestPki(NOW);
    const issued = issueServerCertificate({ ...authority }, { dnsNames: ["a.example"], now: NOW });
    await expect(issued).rejects.toThrow(refusal("invalid_authority", "loadAuthority"));
  });

  test("does not sign outside its time", async () => {
    const { authority } = await createTestPki(NOW);
    const at = (now: Date) => issueClientCertificate(authority, { kind: "device", pen: 0, hardwareSerial: "x", now });
    await expect(at(authority.notAfter)).rejects.toThrow(refusal("authority_expired", "install a new one"));
    const early = new Date(authority.notBefore.getTime() - 1);
    await expect(at(early)).rejects.toThrow(refusal("authority_not_yet_valid", "check the clock"));
  });

  test("never lets a certificate outlive any certificate of its chain", async () => {
    const chain = makeChain({ root: { notAfter: new Date("2026-12-01T00:00:00Z") } });
    const authority = load(chain.issuing + chain.middle + chain.root, privateKeyPem(issuing.privateKey));
    const client = await issueClientCertificate(authority, { kind: "device", pen: 0, hardwareSerial: "x", now: NOW });
    expect([client.notBefore, client.notAfter]).toEqual(["2026-11-23T09:00:00.000Z", "2026-12-01T00:00:00.000Z"]);
    expect(new X509Certificate(client.certificatePem).validToDate).toEqual(new Date(client.notAfter));
  });
});
