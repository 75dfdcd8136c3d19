import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { beforeEach, expect, test } from "vitest";
import { createRootAuthority } from "./_certificates.ts";
import { NAMESPACE } from "./_cluster.ts";
import { caSecret, type EdgeFixture, HOST, REWRITTEN, startEdgeFixture, tlsSecret, VERIFIED } from "./_edge.ts";
import { eventually } from "./_eventually.ts";

let fixture: EdgeFixture;

beforeEach(async () => {
  fixture = await startEdgeFixture();
  await fixture.serve("run-1", ["/run-1/(.*)"], { annotations: { ...VERIFIED, ...REWRITTEN } });
  await fixture.untilServed("/run-1/");
  return () => fixture[Symbol.asyncDispose]();
});

const CA_REF = { resource: "secrets", namespace: NAMESPACE, name: "tls-ca-certificate" };
const INGRESS_REF = { resource: "ingresses", namespace: NAMESPACE, name: "run-1" };
const annotate = (annotations: Record<string, string | null>) => {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]);
  return fixture.cluster.patch(INGRESS_REF, { metadata: { annotations: Object.fromEntries(prefixed) } });
};

test("lets a device with its whole chain in, and tells the upstream who it is", async () => {
  const answer = await fixture.get("/run-1/dcap");
  expect(answer).toMatchObject({ status: 200, body: expect.stringContaining("ok") });
  const headers = fixture.backend.seen[0]?.headers ?? {};
  expect(fixture.backend.seen[0]?.target).toBe("/envoy/dcap");
  expect(headers["ssl-client-verify"]).toBe("SUCCESS");
  expect(decodeURIComponent(headers["ssl-client-cert"] ?? "")).toBe(
    new X509Certificate(fixture.pki.device.leaf).toString(),
  );
  expect(headers["ssl-client-cert"]).toMatch(/^-----BEGIN%20CERTIFICATE-----%0A[\w%]+-----END%20CERTIFICATE-----%0A$/);
  expect(headers["ssl-client-issuer-dn"]).toBe("CN=MICA,O=Cactus,C=AU");
  expect(headers).not.toHaveProperty("ssl-client-subject-dn");
});

test("refuses whoever cannot show a valid certificate, with a page that says why", async () => {
  const { pki } = fixture;
  const stranger = await (await createRootAuthority("SERCA")).issueDevice();
  const expired = await pki.mica.issueDevice({ notAfter: new Date(Date.now() - 60_000) });
  const early = await pki.mica.issueDevice({ notBefore: new Date(Date.now() + 1_800_000) });
  const forged = await (await (await createRootAuthority("MCA")).createAuthority("MICA")).issueDevice();
  const issuers = pki.mica.certificatePem + pki.mca.certificatePem;
  const none = await fixture.get("/run-1/dcap", {}, { cert: undefined, key: undefined });
  expect(none.status).toBe(400);
  expect(none.body).toContain("<title>400 No required SSL certificate was sent</title>");
  for (const [name, tls] of Object.entries({
    "another authority of the same name": { cert: stranger.certificatePem, key: stranger.keyPem },
    expired: { cert: expired.certificatePem + issuers, key: expired.keyPem },
    "not yet valid": { cert: early.certificatePem + issuers, key: early.keyPem },
    "without its intermediates": { cert: pki.device.leaf, key: pki.device.key },
    "without one of them": { cert: pki.device.leaf + pki.mica.certificatePem, key: pki.device.key },
    "issued by a stranger with our names": { cert: forged.certificatePem + issuers, key: forged.keyPem },
    "an authority's own": { cert: pki.mca.certificatePem, key: pki.mca.keyPem },
  })) {
    const answer = await fixture.get("/run-1/dcap", {}, tls);
    expect({ name, status: answer.status }).toEqual({ name, status: 400 });
    expect(answer.body).toContain("400 The SSL certificate error");
  }
  expect(fixture.backend.seen).toEqual([]);
});

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "accepts a chain in any order, with its root too, in %s",
  async (version) => {
    const { root, mca, mica, device } = fixture.pki;
    const cert = device.leaf + mca.certificatePem + root.certificatePem + mica.certificatePem;
    expect((await fixture.get("/run-1/dcap", {}, { cert, minVersion: version, maxVersion: version })).status).toBe(200);
  },
);

test.each([
  ["0", 400],
  ["1", 400],
  ["2", 200],
  ["3", 200],
  ["x", 400],
])("depth %s counts the intermediates", async (depth, status) => {
  await annotate({ "auth-tls-verify-depth": depth });
  await eventually(async () => (await fixture.get("/run-1/dcap")).status).toBe(status);
});

test.each([
  ["is deleted", (): Promise<unknown> => fixture.cluster.delete(CA_REF)],
  ["has no ca.crt", () => fixture.cluster.patch(CA_REF, { data: { "ca.crt": null, other: "eA==" } })],
  ["has an empty ca.crt", () => fixture.cluster.patch(CA_REF, { data: { "ca.crt": "" } })],
  ["holds garbage", () => fixture.cluster.patch(CA_REF, { data: { "ca.crt": "Z2FyYmFnZQ==" } })],
  ["holds a garbled certificate", () => fixture.cluster.patch(CA_REF, { data: { "ca.crt": garbledCertificate() } })],
  ["is not named", () => annotate({ "auth-tls-secret": null })],
  ["is named without a namespace", () => annotate({ "auth-tls-secret": "tls-ca-certificate" })],
  ["is in another namespace", () => annotate({ "auth-tls-secret": "other/tls-ca-certificate" })],
  ["has a revocation list that is none", () => fixture.cluster.patch(CA_REF, { data: { "ca.crl": "eA==" } })],
])("is closed when the CA Secret %s", async (_, breakIt) => {
  await breakIt();
  await eventually(async () => (await fixture.get("/run-1/dcap")).status).toBe(403);
  fixture.backend.seen.length = 0;
  expect((await fixture.get("/run-1/dcap", {}, { cert: undefined, key: undefined })).status).toBe(403);
  expect(fixture.backend.seen).toEqual([]);
});

function garbledCertificate(): string {
  return Buffer.from("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").toString("base64");
}

test("verifies with what the CA Secret holds now, also on connections that were made before", async () => {
  const { cluster, edge, pki } = fixture;
  const other = await createRootAuthority("OTHER");
  const { certificatePem: cert, keyPem: key } = await other.issueDevice();
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, ...pki.device });
  const ask = async (): Promise<{ status: number | undefined; isReused: boolean }> => {
    const ours = request({ agent, port: edge.port, servername: HOST, path: "/run-1/a", headers: { Host: HOST } }).end();
    const [answer] = await once(ours, "response");
    await text(answer);
    return { status: answer.statusCode, isReused: ours.reusedSocket };
  };
  expect(await ask()).toEqual({ status: 200, isReused: false });
  await cluster.update("secrets", caSecret(other.certificatePem + pki.root.certificatePem));
  await eventually(async () => (await fixture.get("/run-1/dcap", {}, { cert, key })).status).toBe(200);
  expect(await ask()).toEqual({ status: 200, isReused: true });
  await cluster.update("secrets", caSecret(other.certificatePem));
  await eventually(async () => (await fixture.get("/run-1/dcap")).status).toBe(400);
  expect(await ask()).toEqual({ status: 400, isReused: true });
  agent.destroy();
});

test("a certificate that its authority has revoked is refused", async () => {
  const { root, mca, mica } = fixture.pki;
  const revoked = await mica.issueDevice();
  const lists = await Promise.all([root.revoke([]), mca.revoke([]), mica.revoke([revoked])]);
  await fixture.cluster.patch(CA_REF, { data: { "ca.crl": Buffer.from(lists.join("")).toString("base64") } });
  const cert = revoked.certificatePem + mica.certificatePem + mca.certificatePem;
  await eventually(async () => (await fixture.get("/run-1/a", {}, { cert, key: revoked.keyPem })).status).toBe(400);
  expect((await fixture.get("/run-1/a")).status).toBe(200);
});

test("the whole host is verified when any of its Ingresses asks for it, whichever is older", async () => {
  await fixture.serve("open", ["/open"], { annotations: { "auth-tls-verify-client": "off" } });
  await fixture.serve("a-plain", ["/plain"]);
  const anonymous = { cert: undefined, key: undefined };
  await eventually(async () => (await fixture.get("/plain")).status).toBe(200);
  for (const target of ["/open", "/plain", "/run-1/dcap", "/unknown"]) {
    expect((await fixture.get(target, {}, anonymous)).status).toBe(400);
  }
  expect(fixture.backend.seen.at(-1)?.headers["ssl-client-verify"]).toBe("SUCCESS");
  await fixture.cluster.delete(INGRESS_REF);
  await eventually(async () => (await fixture.get("/plain", {}, anonymous)).status).toBe(200);
});

test("an optional certificate may be missing, not bad", async () => {
  await annotate({ "auth-tls-verify-client": "optional", "auth-tls-pass-certificate-to-upstream": "false" });
  const stranger = await (await createRootAuthority("X")).issueDevice();
  const bad = { cert: stranger.certificatePem, key: stranger.keyPem };
  await eventually(async () => (await fixture.get("/run-1/a", {}, { cert: undefined, key: undefined })).status).toBe(
    200,
  );
  expect(fixture.backend.seen.at(-1)?.headers).toMatchObject({ "ssl-client-verify": "NONE" });
  expect((await fixture.get("/run-1/a", {}, bad)).status).toBe(400);
  expect((await fixture.get("/run-1/a")).status).toBe(200);
  expect(fixture.backend.seen.at(-1)?.headers).toMatchObject({ "ssl-client-verify": "SUCCESS" });
  expect(fixture.backend.seen.at(-1)?.headers).not.toHaveProperty("ssl-client-cert");
});

test("a certificate shown to one host opens no other", async () => {
  const { cluster } = fixture;
  const ours = await createRootAuthority("OURS");
  const server = await ours.issueServer("other.example");
  await cluster.create("secrets", tlsSecret("other-certificate", server));
  const secretName = "other-certificate";
  await fixture.serve("z-other", ["/"], { host: "other.example", secretName });
  const asOther = { servername: "other.example" };
  await eventually(async () => (await fixture.get("/x", { Host: "other.example" }, asOther)).status).toBe(200);
  expect((await fixture.get("/run-1/a", {}, asOther)).status).toBe(421);
  expect((await fixture.get("/run-1/a", {}, { ...asOther, cert: undefined, key: undefined })).status).toBe(421);
  for (const servername of ["", "unknown.example"])
    expect((await fixture.get("/run-1/a", {}, { servername })).status).toBe(400);
});

test("headers about the client cannot be forged, in any spelling", async () => {
  const forged = {
    "ssl-client-cert": "forged",
    "SSL-Client-Verify": "forged",
    "ssl-client-subject-dn": "CN=forged",
    "ssl-client-anything": "forged",
    ssl_client_cert: "forged",
    "ssl-client_cert": "forged",
    "Ssl_Client-Subject_Dn": "forged",
    "ssl.client.cert": "forged",
    "X-Forwarded-For": "forged",
    "x-forwarded-proto": "forged",
    "X-Forwarded-Host": "forged",
    "X-Forwarded-Port": "forged",
    "X-Real-IP": "forged",
    "X-Request-ID": "forged",
    X_Forwarded_For: "forged",
    Proxy: "forged",
    Connection: "close, ssl-client-cert, x-named",
    "X-Named": "forged",
    "X-Kept": "yes",
  };
  expect((await fixture.get("/run-1/a", forged)).status).toBe(200);
  const [seen] = fixture.backend.seen;
  expect(seen?.rawHeaders.join("\n")).not.toContain("forged");
  expect(seen?.rawHeaders.filter((name) => name.toLowerCase().startsWith("ssl"))).toEqual([
    "ssl-client-verify",
    "ssl-client-cert",
    "ssl-client-issuer-dn",
  ]);
  expect(seen?.headers).toMatchObject({
    host: HOST,
    "x-kept": "yes",
    "x-forwarded-for": "127.0.0.1",
    "x-real-ip": "127.0.0.1",
    "x-forwarded-host": HOST,
    "x-forwarded-proto": "https",
    "x-forwarded-port": String(fixture.edge.port),
    "x-request-id": expect.stringMatching(/^[0-9a-f]{32}$/),
  });
});

test("a rewrite may contain the verdict on the client", async () => {
  await annotate({ "rewrite-target": "/envoy-$ssl_client_verify/$1" });
  const ask = async (tls = {}) => {
    await fixture.get("/run-1/a", { "ssl-client-verify": "SUCCESS" }, tls);
    return fixture.backend.seen.pop()?.target;
  };
  await eventually(() => ask()).toBe("/envoy-SUCCESS/a");
  await annotate({ "auth-tls-verify-client": "optional" });
  const anonymous = { cert: undefined, key: undefined };
  await eventually(() => ask(anonymous)).toBe("/envoy-NONE/a");
  await annotate({ "auth-tls-secret": null, "auth-tls-verify-client": "off" });
  await eventually(() => ask()).toBe("/envoy-NONE/a");
});

test("an open host tells the upstream nothing about certificates, and neither can the client", async () => {
  await annotate({ "auth-tls-secret": null, "auth-tls-verify-client": "off" });
  const anonymous = { cert: undefined, key: undefined };
  const forged = { "ssl-client-verify": "SUCCESS", "ssl-client-cert": "x" };
  await eventually(async () => (await fixture.get("/run-1/a", forged, anonymous)).status).toBe(200);
  expect(fixture.backend.seen[0]?.rawHeaders.filter((name) => /ssl/i.test(name))).toEqual([]);
});
