import { createSecureContext } from "node:tls";
import { beforeAll, expect, test } from "vitest";
import { buildPkcs12, type ClientCertificate, generatePassword, issueClientCertificate } from "../src/pki/index.ts";
import { KEY_KINDS, privateKeyPem } from "./_certificate-maker.ts";
import { printDer } from "./_der.ts";
import { createTestPki } from "./_pki.ts";

const NOW = new Date("2026-11-23T10:00:00Z");

let client: ClientCertificate;

beforeAll(async () => {
  const { authority } = await createTestPki(NOW);
  client = await issueClientCertificate(authority, { kind: "device", pen: 1, hardwareSerial: "x", now: NOW });
});

const build = (change: Partial<Parameters<typeof buildPkcs12>[0]> = {}) =>
  buildPkcs12({
    certificatePem: client.certificatePem,
    chainPem: client.chainPem,
    privateKeyPem: client.privateKeyPem ?? "",
    friendlyName: "cactus device",
    password: "secret",
    ...change,
  });

test("opens with its password and with no other", async () => {
  const pfx = await build();
  expect(() => createSecureContext({ pfx, passphrase: "secret" })).not.toThrow();
  for (const passphrase of ["Secret", "secret ", ""]) {
    expect(() => createSecureContext({ pfx, passphrase })).toThrow("mac verify failure");
  }
});

test.each(["a", " ", "~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}", "x".repeat(300)])("password %j works", async (password) => {
  const pfx = await build({ password });
  expect(() => createSecureContext({ pfx, passphrase: password })).not.toThrow();
});

test("is encrypted with AES-256-CBC, PBKDF2 and SHA-256, and has a MAC of SHA-256; nothing of the key is in the open", async () => {
  const pfx = await build();
  const oids = new Set(printDer(pfx).match(/(?<=OID )[\d.]+/g));
  expect(oids).toEqual(
    new Set([
      "1.2.840.113549.1.12.10.1.2", // pkcs8ShroudedKeyBag
      "1.2.840.113549.1.5.12", // PBKDF2
      "1.2.840.113549.1.5.13", // PBES2
      "1.2.840.113549.1.7.1", // data
      "1.2.840.113549.1.7.6", // encryptedData
      "1.2.840.113549.1.9.20", // friendlyName
      "1.2.840.113549.1.9.21", // localKeyID
      "1.2.840.113549.2.9", // HMAC with SHA-256
      "2.16.840.1.101.3.4.1.42", // AES-256-CBC
      "2.16.840.1.101.3.4.2.1", // SHA-256
    ]),
  );
  const key = Buffer.from(client.privateKeyPem?.split("\n").slice(1, -2).join("") ?? "", "base64");
  expect(key.length).toBeGreaterThan(100);
  expect(pfx.includes(key.subarray(36, 68))).toBe(false);
});

test("the same twice is not the same: salts are random", async () => {
  expect(await build()).not.toEqual(await build());
});

test.each([
  ["an empty password", { password: "" }, "invalid_input", "password"],
  ["a password that Java reads differently", { password: "pässword" }, "invalid_input", "password"],
  ["no name", { friendlyName: "" }, "invalid_input", "friendlyName"],
  ["no certificate", { certificatePem: "", chainPem: "" }, "key_mismatch", "privateKeyPem"],
  ["another's key", { privateKeyPem: privateKeyPem(KEY_KINDS["P-256"]().privateKey) }, "key_mismatch", "privateKeyPem"],
  ["no key", { privateKeyPem: "" }, "invalid_key", "privateKeyPem"],
])("is refused: %s", async (_what, change, reason, word) => {
  await expect(build(change)).rejects.toThrow(
    expect.objectContaining({ name: "PkiError", reason, message: expect.stringContaining(word) }),
  );
});

test("generated passwords have 128 bits in lower-case hexadecimal digits", () => {
  const passwords = Array.from({ length: 1_000 }, generatePassword);
  expect(new Set(passwords).size).toBe(1_000);
  expect(passwords.every((password) => /^[0-9a-f]{32}$/.test(password))).toBe(true);
});
