import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  beginRotation,
  ensurePki,
  finishRotation,
  type PkiPlaces,
  readPki,
  renewServerCertificate,
  rotateServerCertificate,
} from "../src/kubernetes/index.ts";
import { inspectPki, issueServerCertificate } from "../src/pki/index.ts";
import { createTestPki } from "./_pki.ts";
import { FQDN, ORGANISATION, type PkiCluster, readAll, setFiles, startPkiCluster } from "./_pki-cluster.ts";

/** The certificate that the API shows, beside the one of the test instances. */

let pki: PkiCluster;
beforeAll(async () => {
  pki = await startPkiCluster();
});
afterAll(() => pki[Symbol.asyncDispose]());

const now = new Date();
const DAY_MS = 86_400_000;
const apiHosts = ["api.example.com", "cactus-api.example.com"];

async function createPlaces(): Promise<PkiPlaces & { names: { apiSecret: string } }> {
  const places = await pki.createPlaces();
  return { ...places, names: { ...places.names, apiSecret: "api" } };
}

const optionsOf = (places: PkiPlaces, at = now) => ({
  ...places,
  fqdn: FQDN,
  apiHosts,
  organisation: ORGANISATION,
  now: at,
});
const apiOf = ({ namespaces }: PkiPlaces) => ({ namespace: namespaces.orchestration, name: "api" });

async function problemsOf(places: PkiPlaces): Promise<string[]> {
  const reports = inspectPki(await readPki(pki.cluster, places), { fqdn: FQDN, apiHosts, now });
  expect(reports.at(-1)?.role).toBe("api");
  return reports.flatMap(({ role, problems }) => problems.map((problem) => `${role}: ${problem}`));
}

test("is made once, with all names of the API, by the CA of the server", async () => {
  const places = await createPlaces();
  expect(await problemsOf(places)).toContain("api: The Secret does not exist.");
  const made = await ensurePki(pki.cluster, optionsOf(places));
  expect(made.at(-1)).toBe(`made the API's certificate in Secret ${places.namespaces.orchestration}/api`);
  const { api, server } = await readAll(pki.cluster, places);
  const [certificate, servers] = [api, server].map((files) => new X509Certificate(files["tls.crt"] ?? ""));
  expect(certificate?.subjectAltName).toBe("DNS:api.example.com, DNS:cactus-api.example.com");
  expect(certificate?.issuer).toBe(servers?.issuer);
  expect(await problemsOf(places)).toEqual([]);
  expect(await ensurePki(pki.cluster, optionsOf(places))).toEqual([]);
});

test("is left to cert-manager, and stays when somebody else has made it: no matter of which CA", async () => {
  const places = await createPlaces();
  const made = await ensurePki(pki.cluster, { ...optionsOf(places), isApiForeign: true });
  expect(made.join()).not.toContain("API");
  const other = await createTestPki(now, "other");
  const foreign = await issueServerCertificate(other.authority, { dnsNames: apiHosts, now });
  const stringData = { "tls.crt": foreign.certificatePem, "tls.key": foreign.privateKeyPem };
  const { namespace, name } = apiOf(places);
  await pki.cluster.core.createNamespacedSecret({ namespace, body: { metadata: { name }, stringData } });
  expect(await ensurePki(pki.cluster, optionsOf(places))).toEqual([]);
  expect(await renewServerCertificate(pki.cluster, optionsOf(places))).toBe(false);
  expect(await problemsOf(places)).toEqual([]);
});

test("its problems are told: another name, another key", async () => {
  const places = await createPlaces();
  await ensurePki(pki.cluster, { ...optionsOf(places), apiHosts: apiHosts.slice(0, 1) });
  expect(await problemsOf(places)).toEqual(["api: It does not cover cactus-api.example.com."]);
  const { server } = await readAll(pki.cluster, places);
  await setFiles(pki.cluster, apiOf(places), { "tls.key": server["tls.key"] });
  expect(await problemsOf(places)).toContain("api: tls.key is not the key of tls.crt.");
});

test("is renewed when two thirds of its life have passed, and rotated on demand, each without the server's", async () => {
  const places = await createPlaces();
  await ensurePki(pki.cluster, optionsOf(places, new Date(now.getTime() - 300 * DAY_MS)));
  const before = await readAll(pki.cluster, places);
  expect(await renewServerCertificate(pki.cluster, optionsOf(places))).toBe(true);
  expect(await renewServerCertificate(pki.cluster, optionsOf(places))).toBe(false);
  const renewed = await readAll(pki.cluster, places);
  expect(renewed.server).toEqual(before.server);
  expect(renewed.api["tls.crt"]).not.toBe(before.api["tls.crt"]);
  expect(new X509Certificate(renewed.api["tls.crt"] ?? "").checkHost("cactus-api.example.com")).toBeDefined();
  await rotateServerCertificate(pki.cluster, optionsOf(places));
  const rotated = await readAll(pki.cluster, places);
  expect([rotated.server, rotated.api["tls.key"] === renewed.api["tls.key"]]).toEqual([before.server, false]);
  const { apiSecret: _, ...names } = places.names;
  await expect(rotateServerCertificate(pki.cluster, optionsOf({ ...places, names }))).rejects.toThrow(
    "The API is not served over TLS.",
  );
});

test("stays the old CA's while a rotation overlaps, and is the new one's after it", async () => {
  const places = await createPlaces();
  await ensurePki(pki.cluster, optionsOf(places));
  const before = await readAll(pki.cluster, places);
  expect(await beginRotation(pki.cluster, optionsOf(places))).toBe("overlap");
  expect((await readAll(pki.cluster, places)).api).toEqual(before.api);
  expect(await finishRotation(pki.cluster, optionsOf(places))).toBe(true);
  const { api, server } = await readAll(pki.cluster, places);
  const chainOf = (pem = "") => pem.slice(pem.indexOf("-----BEGIN", 1));
  expect(chainOf(api["tls.crt"])).toBe(chainOf(server["tls.crt"]));
  expect(chainOf(api["tls.crt"])).not.toBe(chainOf(before.api["tls.crt"]));
  expect(await problemsOf(places)).toEqual([]);
});
