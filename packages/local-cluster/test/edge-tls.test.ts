import { once } from "node:events";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { beforeEach, expect, test } from "vitest";
import { createRootAuthority, type Identity } from "./_certificates.ts";
import { NAMESPACE } from "./_cluster.ts";
import { type EdgeFixture, HOST, startEdgeFixture, tlsSecret } from "./_edge.ts";
import { eventually } from "./_eventually.ts";

let fixture: EdgeFixture;

beforeEach(async () => {
  fixture = await startEdgeFixture();
  await fixture.serve("run-1", ["/run-1/(.*)"]);
  await eventually(() => shownTo(HOST)).toBe(HOST);
  return () => fixture[Symbol.asyncDispose]();
});

async function handshake(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ port: fixture.edge.port, servername: HOST, rejectUnauthorized: false, ...options });
  await once(socket, "secureConnect");
  return socket;
}

/** The name in the certificate that a client gets which asks for a host. */
async function shownTo(servername: string): Promise<string> {
  const socket = await handshake({ servername });
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

test.each([
  ["TLSv1.2", "ECDHE-ECDSA-AES128-CCM8"],
  ["TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"],
  ["TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"],
  ["TLSv1.3", "TLS_AES_128_GCM_SHA256"],
  ["TLSv1.3", "TLS_AES_256_GCM_SHA384"],
] as const)("speaks %s with %s, and the chain of its certificate stands", async (version, suite) => {
  const ciphers = `${suite}${version === "TLSv1.3" ? ":DEFAULT" : ""}:@SECLEVEL=0`;
  const ca = fixture.pki.mica.certificatePem + fixture.pki.mca.certificatePem + fixture.pki.root.certificatePem;
  const socket = await handshake({ minVersion: version, maxVersion: version, ciphers, ca, rejectUnauthorized: true });
  expect([socket.getProtocol(), socket.getCipher().name]).toEqual([version, suite]);
  socket.destroy();
});

test.each([
  { maxVersion: "TLSv1.1", minVersion: "TLSv1" },
  { ciphers: "AES128-SHA", maxVersion: "TLSv1.2" },
] as const)("does not speak what is out of date: %o", async (options) => {
  const ciphers = `${"ciphers" in options ? options.ciphers : "DEFAULT"}:@SECLEVEL=0`;
  await expect(handshake({ ...options, ciphers })).rejects.toThrow(/alert|no protocols|handshake/);
});

test.each(["TLSv1.2", "TLSv1.3"] as const)("never resumes a session in %s", async (version) => {
  const options = { minVersion: version, maxVersion: version };
  const { cert, key } = fixture.pki.device;
  const first = await handshake({ ...options, cert, key });
  const sessions = [first.getSession()];
  first.on("session", (session) => sessions.push(session));
  first.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  first.resume();
  await once(first, "close");
  for (const session of sessions) {
    const second = await handshake({ ...options, session });
    expect(second.isSessionReused()).toBe(false);
    second.destroy();
  }
});

test("shows each host its certificate, the first host's to those who name none that is known, and reloads them", async () => {
  const { cluster } = fixture;
  const authority = await createRootAuthority("X");
  await cluster.create("secrets", tlsSecret("other", await authority.issueServer("*.other.example")));
  const other = { host: "*.other.example", secretName: "other" };
  await fixture.serve("z-other", ["/"], other);
  await eventually(() => shownTo("a.other.example")).toBe("*.other.example");
  expect(await shownTo("")).toBe(HOST);
  expect(await shownTo("unknown.example")).toBe(HOST);
  await cluster.update("secrets", tlsSecret("tls-server-certificate", await authority.issueServer("renewed.example")));
  await eventually(() => shownTo(HOST)).toBe("renewed.example");
  await eventually(() => shownTo("")).toBe("renewed.example");
  await cluster.delete({ resource: "ingresses", namespace: NAMESPACE, name: "run-1" });
  await eventually(() => shownTo("")).toBe("*.other.example");
});

const garbage = Buffer.from("garbage").toString("base64");
test.each([
  ["is missing", () => undefined],
  ["holds garbage", () => ({ "tls.crt": garbage, "tls.key": garbage })],
  ["has no key", ({ certificatePem }: Identity) => ({ "tls.crt": Buffer.from(certificatePem).toString("base64") })],
  [
    "holds the key of another certificate",
    ({ certificatePem }: Identity, { keyPem }: Identity) => ({
      "tls.crt": Buffer.from(certificatePem).toString("base64"),
      "tls.key": Buffer.from(keyPem).toString("base64"),
    }),
  ],
])("speaks TLS with a certificate of its own when the host's Secret %s", async (_, buildData) => {
  const { cluster, pki } = fixture;
  const data = buildData(pki.server, await createRootAuthority("X"));
  const metadata = { name: "tls-server-certificate", namespace: NAMESPACE };
  await cluster.delete({ resource: "secrets", ...metadata });
  if (data !== undefined) await cluster.create("secrets", { apiVersion: "v1", kind: "Secret", metadata, data });
  await eventually(() => shownTo(HOST)).toContain("no certificate for this host");
  await eventually(() => shownTo("")).toContain("no certificate for this host");
  expect((await fixture.get("/")).status).toBe(404);
});

test("an edge without any Ingress answers 404", async () => {
  await fixture.cluster.delete({ resource: "ingresses", namespace: NAMESPACE, name: "run-1" });
  await eventually(() => shownTo("")).toContain("no certificate for this host");
  expect((await fixture.get("/")).status).toBe(404);
});
