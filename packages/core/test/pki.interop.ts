import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientCertificate, issueClientCertificate, loadAuthority } from "../src/pki/index.ts";
import type { TestPki } from "./_pki.ts";
import { createPkiFolder, FRIENDLY_NAME, PASSWORD, type PkiFolder } from "./_pki-folder.ts";

const NOW = new Date();

let folder: PkiFolder;
let pki: TestPki;
let device: ClientCertificate;
let aggregator: ClientCertificate;
let run: PkiFolder["run"];

beforeAll(async () => {
  folder = await createPkiFolder(NOW);
  ({ pki, device, aggregator, run } = folder);
});

afterAll(() => folder[Symbol.asyncDispose]());

const at = (name: string) => join(folder.path, name);
const helper = (name: string) => join(import.meta.dirname, "_interop", name);
const runPython = (...args: string[]) => run("python3", helper("pki.py"), ...args);

describe("OpenSSL", () => {
  const chain = ["-x509_strict", "-CAfile", "serca.pem", "-untrusted", "issuers.pem"];

  test.each([
    ["device.pem", "sslclient", []],
    ["aggregator.pem", "sslclient", []],
    ["aggregator.pem", "sslserver", ["-verify_hostname", "agg.example.com"]],
    ["server.pem", "sslserver", ["-verify_hostname", "cactus.example.com"]],
    ["server.pem", "sslserver", ["-verify_ip", "2001:db8::5"]],
  ])("verifies %s strictly as %s %j", async (file, purpose, more) => {
    expect(await run("openssl", "verify", ...chain, "-purpose", purpose, ...more, file)).toBe(`${file}: OK\n`);
  });

  test.each([
    ["device.pem", "1.3.6.1.4.1.40732.1.1"],
    ["device.pem", "1.3.6.1.4.1.40732.1.3"],
    ["device.pem", "1.3.6.1.4.1.40732.2.1"],
    ["aggregator.pem", "1.3.6.1.4.1.40732.1.1"],
    ["aggregator.pem", "1.3.6.1.4.1.40732.2.3"],
  ])("finds that %s has policy %s, along the whole path", async (file, policy) => {
    const demand = ["-explicit_policy", "-policy", policy];
    expect(await run("openssl", "verify", ...chain, ...demand, file)).toBe(`${file}: OK\n`);
  });

  test("refuses a device where a server is wanted by name, and a policy that is not there", async () => {
    const name = ["-purpose", "sslserver", "-verify_hostname", "cactus.example.com"];
    await expect(run("openssl", "verify", ...chain, ...name, "device.pem")).rejects.toThrow("hostname mismatch");
    const policy = ["-explicit_policy", "-policy", "1.3.6.1.4.1.40732.2.3"];
    await expect(run("openssl", "verify", ...chain, ...policy, "device.pem")).rejects.toThrow("policy");
  });

  test("parses the device's name as the hardware module it is", async () => {
    const lines = (await run("openssl", "asn1parse", "-in", "device.pem")).split("\n");
    const name = lines.findIndex((line) => line.endsWith("X509v3 Subject Alternative Name"));
    expect(lines[name + 1]).toMatch(/BOOLEAN +:255/);
    const offset = Number(lines[name + 2]?.split(":")[0]);
    const tree = await run("openssl", "asn1parse", "-in", "device.pem", "-strparse", String(offset));
    const shape = tree
      .trim()
      .split("\n")
      .map((line) =>
        line
          .replace(/^.*?d=(\d).*(?:cons|prim): +/, "$1 ")
          .replace(/ +/g, " ")
          .trim(),
      );
    expect(shape).toEqual([
      "0 SEQUENCE",
      "1 cont [ 0 ]",
      "2 OBJECT :1.3.6.1.5.5.7.8.4",
      "2 cont [ 0 ]",
      "3 SEQUENCE",
      "4 OBJECT :1.3.6.1.4.1.28547.1.1.1",
      "4 OCTET STRING :cactus-1",
    ]);
  });

  test("opens the PKCS#12 file: same key, same certificates, its name", async () => {
    const open = ["pkcs12", "-in", "device.p12", "-passin", `pass:${PASSWORD}`];
    const text = await run("openssl", ...open, "-nodes");
    const key = createPrivateKey(text.slice(text.indexOf("-----BEGIN PRIVATE KEY")));
    expect(key.equals(createPrivateKey(device.privateKeyPem ?? ""))).toBe(true);
    expect(text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g)?.join("")).toBe(device.chainPem);
    expect(text.match(/friendlyName: (.*)/g)).toEqual(Array(2).fill(`friendlyName: ${FRIENDLY_NAME}`));
  });

  test.each([
    ["ecparam", ["-name", "prime256v1", "-genkey"]],
    ["ecparam", ["-name", "secp384r1", "-genkey", "-noout"]],
    ["genpkey", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]],
    ["genrsa", ["-traditional", "2048"]],
    ["genrsa", ["3072"]],
  ])("a CA made with openssl %s %j signs what openssl verifies", async (command, args) => {
    await run("openssl", command, "-out", "ca.key", ...args);
    const subject = ["-utf8", "-subj", "/C=DE/O=Büro/OU=a+CN=b"];
    const extensions = ["-addext", "keyUsage=critical,keyCertSign"];
    await run("openssl", "req", "-x509", "-key", "ca.key", ...subject, ...extensions, "-days", "9", "-out", "ca.pem");
    const [certificatePem, privateKeyPem] = await Promise.all([
      readFile(at("ca.pem"), "utf8"),
      readFile(at("ca.key"), "utf8"),
    ]);
    const authority = loadAuthority({ certificatePem, privateKeyPem, now: new Date() });
    for (const kind of ["device", "aggregator"] as const) {
      const request = { pen: 0, hardwareSerial: "x", commonName: "x", now: new Date() };
      await writeFile(at("leaf.pem"), (await issueClientCertificate(authority, { kind, ...request })).certificatePem);
      const strictly = ["-x509_strict", "-purpose", "sslclient", "-CAfile", "ca.pem"];
      expect(await run("openssl", "verify", ...strictly, "leaf.pem")).toBe("leaf.pem: OK\n");
    }
  });
});

describe("Java", () => {
  test("keytool lists the PKCS#12 file", async () => {
    const text = await run(
      "keytool",
      "-list",
      "-v",
      "-storetype",
      "PKCS12",
      "-keystore",
      "device.p12",
      "-storepass",
      PASSWORD,
    );
    expect(text).toMatch(
      new RegExp(`Alias name: ${FRIENDLY_NAME}\n.*\nEntry type: PrivateKeyEntry\nCertificate chain length: 3`),
    );
    expect(text).toContain(new X509Certificate(device.certificatePem).fingerprint256);
  });

  test("a client validates both chains and shakes hands with the PKCS#12 file", async () => {
    const [cert, key] = await Promise.all([readFile(at("server.pem")), readFile(at("server.key"))]);
    const server = createServer({ cert, key, ca: pki.hierarchy.sercaPem, requestCert: true }, (socket: TLSSocket) =>
      socket.end(`hello ${socket.getPeerX509Certificate()?.serialNumber}\n`),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { port } = server.address() as AddressInfo;
      const text = await run("java", helper("Client.java"), String(port), "device.p12", PASSWORD, "serca.pem");
      const serial = device.serialNumber.toUpperCase();
      expect(text).toBe(`${FRIENDLY_NAME}: valid chain of 3\nhello ${serial}\n`);
    } finally {
      server.close();
    }
  });
});

describe("Python's cryptography", () => {
  const keyIds = async (certificate: ClientCertificate) => {
    const text = await run(
      "openssl",
      "x509",
      "-in",
      certificate === device ? "device.pem" : "aggregator.pem",
      "-noout",
      "-ext",
      "subjectKeyIdentifier,authorityKeyIdentifier",
    );
    const [authority, subject] = (text.match(/(?:[0-9A-F]{2}:){7}[0-9A-F]{2}/g) ?? []).map((id) =>
      id.replaceAll(":", "").toLowerCase(),
    );
    return [
      ["AuthorityKeyIdentifier", false, authority],
      ["SubjectKeyIdentifier", false, subject],
    ];
  };
  const HARDWARE = ["otherName", "1.3.6.1.5.5.7.8.4", "3017060b2b0601040181df0301010104086361637475732d31"];

  test("reads a device's and an aggregator's certificate, every extension", async () => {
    const common = (certificate: ClientCertificate) => ({
      issuer: expect.stringMatching(/CN=IEEE 2030.5 MICA,O=CACTUS,C=AU$/),
      serialNumber: certificate.serialNumber,
      notAfter: certificate.notAfter.replace(".000Z", "+00:00"),
    });
    expect(JSON.parse(await runPython("describe", "device.pem"))).toEqual({
      ...common(device),
      subject: "",
      extensions: [
        ["KeyUsage", true, ["digital_signature", "key_agreement"]],
        ["CertificatePolicies", true, ["1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.1.3", "1.3.6.1.4.1.40732.2.1"]],
        ["SubjectAlternativeName", true, [HARDWARE]],
        ...(await keyIds(device)),
      ],
    });
    expect(JSON.parse(await runPython("describe", "aggregator.pem"))).toEqual({
      ...common(aggregator),
      subject: "CN=agg,O=CACTUS,C=AU",
      extensions: [
        ["KeyUsage", true, ["digital_signature", "key_agreement"]],
        ["ExtendedKeyUsage", false, ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"]],
        ["CertificatePolicies", true, ["1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.2.3"]],
        ["SubjectAlternativeName", false, [HARDWARE, ["DNSName", "agg.example.com"]]],
        ...(await keyIds(aggregator)),
      ],
    });
  });

  test("opens the PKCS#12 file: same key, same certificates, its name", async () => {
    const { key, name, certificates } = JSON.parse(await runPython("open", "device.p12", PASSWORD));
    expect({ key, name, chain: certificates.join("") }).toEqual({
      key: device.privateKeyPem,
      name: FRIENDLY_NAME,
      chain: device.chainPem,
    });
  });
});

describe("signing requests of others are taken", () => {
  const openssl = async (...args: string[]) => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "csr.key"];
    return await run("openssl", "req", "-new", ...key, ...args);
  };
  const keytool = async () => {
    const store = ["-keystore", "csr.p12", "-storepass", "secret", "-alias", "x"];
    await run("keytool", "-genkeypair", ...store, "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=java");
    return await run("keytool", "-certreq", ...store);
  };

  test.each([
    ["openssl", () => openssl("-subj", "/")],
    [
      "openssl, with text, SHA-384 and extensions",
      () => openssl("-text", "-sha384", "-subj", "/CN=x", "-addext", "basicConstraints=CA:TRUE"),
    ],
    ["keytool", keytool],
    ["Python's cryptography", () => runPython("csr")],
  ])("%s", async (_tool, make) => {
    const csrPem = await make();
    await writeFile(at("request.csr"), csrPem);
    const request = { kind: "device", pen: 0, hardwareSerial: "x", csrPem, now: NOW } as const;
    const issued = new X509Certificate((await issueClientCertificate(pki.authority, request)).certificatePem);
    const requested = await run("openssl", "req", "-in", "request.csr", "-noout", "-pubkey");
    expect(issued.publicKey.equals(createPublicKey(requested))).toBe(true);
    expect([issued.subject, issued.ca]).toEqual([undefined, false]);
  });
});
