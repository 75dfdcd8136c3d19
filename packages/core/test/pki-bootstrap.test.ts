import { createPrivateKey, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensurePki, type PkiPlaces } from "../src/kubernetes/index.ts";
import { inspectPki, loadAuthority, parseCertificate, splitPem } from "../src/pki/index.ts";
import { createTestPki } from "./_pki.ts";
import { FQDN, ORGANISATION, type PkiCluster, readAll, setFiles, startPkiCluster } from "./_pki-cluster.ts";

let pki: PkiCluster;
beforeAll(async () => {
  pki = await startPkiCluster();
});
afterAll(() => pki[Symbol.asyncDispose]());

const now = new Date();
const bootstrapAgain = (places: PkiPlaces) =>
  ensurePki(pki.cluster, { ...places, fqdn: FQDN, organisation: ORGANISATION, now });
const placeOf = ({ names, namespaces }: PkiPlaces) => ({
  trust: { namespace: namespaces.execution, name: names.caCertificateSecret },
  server: { namespace: namespaces.execution, name: names.serverSecret },
  authority: { namespace: namespaces.orchestration, name: names.caKeyPairSecret },
});

test("makes three Secrets that fit together, and changes nothing when it is repeated", async () => {
  const places = await pki.createPlaces();
  const { authority, trust, server } = placeOf(places);
  expect(await bootstrapAgain(places)).toEqual([
    `made the signing CA in Secret ${authority.namespace}/signer`,
    `added its root to ca.crt in Secret ${trust.namespace}/ca`,
    `made the server's certificate in Secret ${server.namespace}/server`,
  ]);
  const read = () =>
    Promise.all([authority, trust, server].map((place) => pki.cluster.core.readNamespacedSecret(place)));
  const secrets = await read();
  expect(secrets.map(({ type, data, metadata }) => [type, Object.keys(data ?? {}), metadata?.labels])).toEqual(
    [
      ["kubernetes.io/tls", ["tls.crt", "tls.key"]],
      ["Opaque", ["ca.crt"]],
      ["kubernetes.io/tls", ["tls.crt", "tls.key"]],
    ].map((expected) => [...expected, { "app.kubernetes.io/part-of": "cactus-orchestrator" }]),
  );
  expect(await bootstrapAgain(places)).toEqual([]);
  expect(await read()).toEqual(secrets);
});

test("the signing pair is an authority whose root verifies clients; the server has its names, issuers and key", async () => {
  const { authority, trust, server } = await readAll(pki.cluster, await pki.bootstrap());
  const [certificatePem = "", privateKeyPem = ""] = [authority["tls.crt"], authority["tls.key"]];
  expect(loadAuthority({ certificatePem, privateKeyPem, now }).rootPem).toBe(trust["ca.crt"]);
  const names = splitPem(certificatePem).map(({ pem }) => /CN=([^,]+)/.exec(parseCertificate(pem).subject)?.[1]);
  expect(names).toEqual(["IEEE 2030.5 MICA", "IEEE 2030.5 MCA", "IEEE 2030.5 Root"]);
  const [leaf = "", ...issuers] = splitPem(server["tls.crt"] ?? "").map(({ pem }) => pem);
  const certificate = new X509Certificate(leaf);
  expect([certificate.checkHost(FQDN), certificate.checkIP("127.0.0.1")]).toEqual([FQDN, "127.0.0.1"]);
  expect(issuers.join("") + trust["ca.crt"]).toBe(certificatePem);
  expect(certificate.checkPrivateKey(createPrivateKey(server["tls.key"] ?? ""))).toBe(true);
});

test("makes again what is missing or left over, and keeps the CA, the edge's other roots and the server's names", async () => {
  const places = await pki.bootstrap();
  const { trust, server } = placeOf(places);
  const before = await readAll(pki.cluster, places);
  const other = (await createTestPki(now, "other")).hierarchy.sercaPem;
  await setFiles(pki.cluster, trust, { "ca.crt": other });
  expect(await bootstrapAgain(places)).toHaveLength(1);
  await pki.cluster.core.deleteNamespacedSecret(server);
  expect(await bootstrapAgain(places)).toHaveLength(1);
  await setFiles(pki.cluster, server, { "tls.crt": "garbage" });
  expect(await bootstrapAgain(places)).toHaveLength(1);
  const after = await readAll(pki.cluster, places);
  expect(after.authority).toEqual(before.authority);
  expect(after.trust["ca.crt"]).toBe(`${before.trust["ca.crt"]}${other}`);
  expect(inspectPki(after, { fqdn: FQDN, now }).flatMap(({ problems }) => problems)).toEqual([]);

  await pki.cluster.core.deleteNamespacedSecret(placeOf(places).authority);
  expect(await bootstrapAgain(places)).toHaveLength(3);
  const anew = await readAll(pki.cluster, places);
  expect(inspectPki(anew, { fqdn: FQDN, now }).flatMap(({ problems }) => problems)).toEqual([]);
});

test("two at once make one CA", async () => {
  const places = await pki.createPlaces();
  const options = { ...places, fqdn: FQDN, organisation: ORGANISATION, now };
  const made = await Promise.all([ensurePki(pki.cluster, options), ensurePki(pki.connect(), options)]);
  expect(made.flat().toSorted((a, b) => a.localeCompare(b))).toHaveLength(3);
  const files = await readAll(pki.cluster, places);
  expect(splitPem(files.trust["ca.crt"] ?? "")).toHaveLength(1);
  expect(inspectPki(files, { fqdn: FQDN, now }).flatMap(({ problems }) => problems)).toEqual([]);
});

test("a signing CA that cannot be used stays, and the reason is told", async () => {
  const places = await pki.bootstrap();
  const { authority } = placeOf(places);
  await setFiles(pki.cluster, authority, { "tls.key": "garbage" });
  await expect(bootstrapAgain(places)).rejects.toThrow("tls.key must hold exactly one private key");
  expect((await readAll(pki.cluster, places)).authority["tls.key"]).toBe("garbage");
});

test("a server certificate that somebody else has made stays", async () => {
  const places = await pki.bootstrap();
  const { server } = placeOf(places);
  const foreign = { "tls.crt": (await createTestPki(now)).hierarchy.micaPem };
  await setFiles(pki.cluster, server, foreign, { labels: {} });
  expect(await bootstrapAgain(places)).toEqual([]);
  const annotations = { "cert-manager.io/certificate-name": "server" };
  await setFiles(pki.cluster, server, foreign, { annotations });
  expect(await bootstrapAgain(places)).toEqual([]);
});
