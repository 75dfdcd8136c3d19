import { createPrivateKey, X509Certificate } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { issueServerCertificate } from "../src/pki/index.ts";
import { createTestPki, type TestPki } from "./_pki.ts";

const NOW = new Date("2026-11-23T10:00:00Z");

let pki: TestPki;

beforeAll(async () => {
  pki = await createTestPki(NOW);
});

test("returns the server's certificate with its issuers, its key and its end", async () => {
  const server = await issueServerCertificate(pki.authority, { dnsNames: ["a.example"], validityDays: 10, now: NOW });
  const certificate = new X509Certificate(server.certificatePem);
  expect(server).toEqual({
    certificatePem: certificate.toString() + pki.hierarchy.micaPem + pki.hierarchy.mcaPem,
    privateKeyPem: expect.stringMatching(/^-----BEGIN PRIVATE KEY-----\n/),
    notAfter: "2026-12-03T10:00:00.000Z",
  });
  expect(certificate.checkPrivateKey(createPrivateKey(server.privateKeyPem))).toBe(true);
  expect(certificate.validToDate).toEqual(new Date(server.notAfter));
});

test.each([
  [["*.example.com"], [], "CN=*.example.com", "DNS:*.example.com"],
  [[], ["::1"], "CN=::1", "IP Address:0:0:0:0:0:0:0:1"],
  [["a.example", "b.example"], ["10.0.0.1"], "CN=a.example", "DNS:a.example, DNS:b.example, IP Address:10.0.0.1"],
])("names %j and addresses %j", async (dnsNames, ipAddresses, subject, alternativeNames) => {
  const { certificatePem } = await issueServerCertificate(pki.authority, { dnsNames, ipAddresses, now: NOW });
  const certificate = new X509Certificate(certificatePem);
  expect([certificate.subject, certificate.subjectAltName]).toEqual([subject, alternativeNames]);
});

test("ends with the authority at the latest", async () => {
  const request = { dnsNames: ["a.example"], validityDays: 36_500, now: NOW };
  const { notAfter } = await issueServerCertificate(pki.authority, request);
  expect(notAfter).toBe(pki.authority.notAfter.toISOString());
});

test.each([
  [{ dnsNames: [] }, "name the server"],
  [{ dnsNames: ["https://a.example"] }, "dnsNames"],
  [{ dnsNames: ["a.example"], ipAddresses: ["a.example"] }, "ipAddresses"],
  [{ dnsNames: ["a.example"], validityDays: -1 }, "validityDays"],
])("refuses %j", async (request, words) => {
  await expect(issueServerCertificate(pki.authority, { ...request, now: NOW })).rejects.toThrow(
    expect.objectContaining({ name: "PkiError", reason: "invalid_input", message: expect.stringContaining(words) }),
  );
});
