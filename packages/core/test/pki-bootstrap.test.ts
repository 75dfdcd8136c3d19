import { X509Certificate } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { bootstrapSecrets, loadAuthority, parseCertificate, type SecretManifest, splitPem } from "../src/pki/index.ts";

const NOW = new Date("2026-11-23T10:00:00Z");

let secrets: SecretManifest[];

beforeAll(async () => {
  secrets = await bootstrapSecrets({
    fqdn: "cactus.example.com",
    ipAddresses: ["127.0.0.1", "::1"],
    organisation: "CACTUS",
    now: NOW,
    names: { caCertificateSecret: "ca", caKeyPairSecret: "signer", serverSecret: "server" },
    namespaces: { orchestration: "test-orchestration", execution: "test-execution" },
  });
});

function file(secretName: string, key: string): string {
  const secret = secrets.find(({ metadata }) => metadata.name === secretName);
  return Buffer.from(secret?.data[key] ?? "", "base64").toString();
}

test("three Secrets, as the Kubernetes API takes them", () => {
  const secret = (name: string, namespace: string, type: string, keys: string[]) => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels: { "app.kubernetes.io/part-of": "cactus-orchestrator" } },
    type,
    data: Object.fromEntries(keys.map((key) => [key, expect.stringMatching(/^[A-Za-z0-9+/]+=*$/)])),
  });
  expect(secrets).toEqual([
    secret("ca", "test-execution", "Opaque", ["ca.crt"]),
    secret("signer", "test-orchestration", "kubernetes.io/tls", ["tls.crt", "tls.key"]),
    secret("server", "test-execution", "kubernetes.io/tls", ["tls.crt", "tls.key"]),
  ]);
});

test("the signing pair is an authority whose root verifies clients", () => {
  const certificatePem = file("signer", "tls.crt");
  const authority = loadAuthority({ certificatePem, privateKeyPem: file("signer", "tls.key"), now: NOW });
  expect(authority.rootPem).toBe(file("ca", "ca.crt"));
  const names = splitPem(certificatePem).map(({ pem }) => /CN=([^,]+)/.exec(parseCertificate(pem).subject)?.[1]);
  expect(names).toEqual(["IEEE 2030.5 MICA", "IEEE 2030.5 MCA", "IEEE 2030.5 Root"]);
});

test("the server has its names, its issuers and its key", () => {
  const [leaf, ...issuers] = splitPem(file("server", "tls.crt")).map(({ pem }) => pem);
  const certificate = new X509Certificate(leaf ?? "");
  expect(certificate.checkHost("cactus.example.com")).toBe("cactus.example.com");
  expect(["127.0.0.1", "::1"].map((address) => certificate.checkIP(address))).toEqual(["127.0.0.1", "::1"]);
  expect(issuers.join("") + file("ca", "ca.crt")).toBe(file("signer", "tls.crt"));
  expect(file("server", "tls.key")).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
});

test("the only private keys are those of MICA and server", () => {
  const keys = secrets
    .flatMap(({ data }) => Object.keys(data))
    .filter((key) => file("signer", key) !== "" && key === "tls.key");
  expect(keys).toHaveLength(2);
  const text = secrets.flatMap(({ data }) =>
    Object.values(data).map((value) => Buffer.from(value, "base64").toString()),
  );
  expect(text.join("").match(/PRIVATE KEY-----\n/g)).toHaveLength(4);
});
