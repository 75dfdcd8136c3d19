import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { beforeAll, describe, expect, test } from "vitest";
import { type ClientCertificate, issueClientCertificate, issueServerCertificate } from "../src/pki/index.ts";
import { createTestPki, type TestPki } from "./_pki.ts";

const HOST = "cactus.example.com";

let pki: TestPki;
let serverPair: { cert: string; key: string };
let strangerPair: { cert: string; key: string };
let device: ClientCertificate;
let aggregator: ClientCertificate;

beforeAll(async () => {
  const now = new Date();
  pki = await createTestPki(now);
  const server = await issueServerCertificate(pki.authority, { dnsNames: [HOST], ipAddresses: ["127.0.0.1"], now });
  serverPair = { cert: server.certificatePem, key: server.privateKeyPem };
  const client = { pen: 28547, hardwareSerial: "cactus-1", now };
  device = await issueClientCertificate(pki.authority, { ...client, kind: "device" });
  aggregator = await issueClientCertificate(pki.authority, { ...client, kind: "aggregator", commonName: "agg" });
  const stranger = await createTestPki(now);
  strangerPair = pair(await issueClientCertificate(stranger.authority, { ...client, kind: "device" }));
});

const pair = ({ chainPem, privateKeyPem }: ClientCertificate) => ({ cert: chainPem, key: privateKeyPem ?? "" });

interface Handshake {
  /** What the server thinks of the client: its serial number, or the reason of OpenSSL to refuse it. */
  readonly verdict: string;
  readonly protocol: string | null;
  readonly cipher: string;
}

/** Shakes hands with a server that asks for a client certificate of the SERCA, and gives what both saw. */
async function shakeHands(server: TlsOptions, client: ConnectionOptions): Promise<Handshake> {
  const trust = { ca: pki.hierarchy.sercaPem, requestCert: true, rejectUnauthorized: false };
  const listener = createServer({ ...serverPair, ...trust, ...server });
  listener.on("secureConnection", (socket: TLSSocket) => {
    const client = socket.getPeerX509Certificate();
    socket.end(socket.authorized ? `${client?.serialNumber.toLowerCase()}` : String(socket.authorizationError));
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ host: "127.0.0.1", port, servername: HOST, ca: pki.hierarchy.sercaPem, ...client });
  try {
    await once(socket, "secureConnect");
    const [protocol, cipher] = [socket.getProtocol(), socket.getCipher().standardName];
    const verdict = (await socket.setEncoding("utf8").toArray()).join("");
    return { verdict, protocol, cipher };
  } finally {
    socket.destroy();
    listener.close();
    await once(listener, "close");
  }
}

describe("mutual TLS", () => {
  const ccm8 = { ciphers: "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", maxVersion: "TLSv1.2" } as const;

  test.each([
    ["TLS 1.2", { maxVersion: "TLSv1.2" }, "TLSv1.2", /^TLS_ECDHE_ECDSA_/],
    ["TLS 1.3", { minVersion: "TLSv1.3" }, "TLSv1.3", /^TLS_AES_/],
    ["the suite of IEEE 2030.5", ccm8, "TLSv1.2", /^TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8$/],
  ] as const)("a device and an aggregator are let in: %s", async (_what, options, protocol, cipher) => {
    for (const client of [device, aggregator]) {
      const seen = await shakeHands(options, { ...options, ...pair(client) });
      expect(seen).toEqual({ verdict: client.serialNumber, protocol, cipher: expect.stringMatching(cipher) });
    }
  });

  test.each([
    ["no certificate", "UNABLE_TO_GET_ISSUER_CERT", () => ({})],
    [
      "one without its issuers",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      () => ({ ...pair(device), cert: device.certificatePem }),
    ],
    ["one of a namesake's CA", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", () => strangerPair],
    ["a server's", "INVALID_PURPOSE", () => serverPair],
  ])("is refused: %s", async (_what, verdict, choose) => {
    expect(await shakeHands({}, choose())).toMatchObject({ verdict });
  });

  test("an aggregator's certificate serves its own notification host", async () => {
    const now = new Date();
    const request = {
      kind: "aggregator",
      pen: 1,
      hardwareSerial: "x",
      commonName: "agg",
      dnsNames: [HOST],
      now,
    } as const;
    const host = await issueClientCertificate(pki.authority, request);
    const seen = await shakeHands(pair(host), pair(device));
    expect(seen.verdict).toBe(device.serialNumber);
  });
});

describe("the server's certificate", () => {
  test("is taken for its names and addresses", async () => {
    for (const servername of [HOST, ""]) {
      expect(await shakeHands({}, { ...pair(device), servername })).toMatchObject({ verdict: device.serialNumber });
    }
  });

  test.each([
    ["another name", { servername: "other.example.com" }, "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["no trust in the SERCA", { ca: [] }, /UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY/],
  ])("is refused: %s", async (_what, options, code) => {
    const refused = shakeHands({}, { ...pair(device), ...options });
    await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(code) });
  });
});
