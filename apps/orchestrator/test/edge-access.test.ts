import { createHierarchy, issueClientCertificate, loadAuthority } from "@cactus/core/pki";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "../src/routes/run-view.ts";
import { askEdge } from "./_edge.ts";
import { type Certificate, startTestInstallation, type TestInstallation } from "./_installation.ts";

let installation: TestInstallation;
let run: RunView;
let certificate: Certificate;
/** The instance's first path segment. */
let name: string;

beforeAll(async () => {
  installation = await startTestInstallation();
  ({ run, certificate } = await installation.user.createLive("ALL-01"));
  name = new URL(run.testUrl ?? "").pathname.split("/")[1] ?? "";
});
afterAll(() => installation[Symbol.asyncDispose]());

const ask = (input: Omit<Parameters<typeof askEdge>[1], "path"> & { path?: string } = {}) =>
  askEdge(installation.cluster, { path: `/${name}/dcap`, certificate, ...input });

test("the run's own certificate is served, over TLS 1.3, 1.2, and the cipher that the standard demands", async () => {
  for (const tls of [
    { minVersion: "TLSv1.3" },
    { maxVersion: "TLSv1.2" },
    { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0" },
  ]) {
    expect((await ask({ tls })).status).toBe(200);
  }
});

test("no certificate, and one of another CA, are refused before the runner hears of it", async () => {
  expect(await ask({ certificate: undefined as never })).toMatchObject({
    status: 400,
    body: expect.stringContaining("No required SSL certificate"),
  });
  const now = new Date();
  const other = await createHierarchy({ organisation: "other", now });
  const authority = loadAuthority({
    certificatePem: other.micaPem + other.mcaPem + other.sercaPem,
    privateKeyPem: other.micaPrivateKeyPem,
    now,
  });
  const stranger = await issueClientCertificate(authority, { kind: "device", pen: 0, hardwareSerial: "x", now });
  const refused = await ask({
    certificate: { chainPem: stranger.chainPem, privateKeyPem: stranger.privateKeyPem ?? "" },
  });
  expect(refused).toMatchObject({ status: 400, body: expect.stringContaining("SSL certificate error") });
  const leafOnly = `${certificate.chainPem.split("-----END CERTIFICATE-----")[0]}-----END CERTIFICATE-----\n`;
  expect((await ask({ certificate: { ...certificate, chainPem: leafOnly } })).status).toBe(400);
  const { requests } = await installation.user.ask<{ requests: { path: string }[] }>("runs.status", {
    runId: run.runId,
  });
  expect(requests.every(({ path }) => path === "/dcap")).toBe(true);
});

test("another user's certificate, of our own CA, is let in by the edge and refused by the runner", async () => {
  const other = await (await installation.newUser("other")).issue();
  expect(await ask({ certificate: other })).toMatchObject({
    status: 403,
    body: "Forwarded certificate does not match for registered aggregator",
  });
});

test("headers with which a client pretends to be another do not arrive", async () => {
  const other = await (await installation.newUser("other")).issue();
  const leaf = `${certificate.chainPem.split("-----END CERTIFICATE-----")[0]}-----END CERTIFICATE-----\n`;
  for (const forged of [encodeURIComponent(leaf), certificate.lfdi]) {
    for (const header of ["ssl-client-cert", "SSL-Client-Cert", "ssl_client_cert", "Ssl_Client-cert"]) {
      const answer = await ask({ certificate: other, headers: { [header]: forged, "ssl-client-verify": "SUCCESS" } });
      expect([header, answer.status]).toEqual([header, 403]);
      expect(
        (await askEdge(installation.cluster, { path: `/${name}/dcap`, headers: { [header]: forged } })).status,
      ).toBe(400);
    }
  }
});

test("the address of an instance that is not there leads nowhere, and names do not run into each other", async () => {
  for (const path of ["/", "/ts-000000000000/dcap", `/${name}`, `/${name}x/dcap`, `/x${name}/dcap`]) {
    expect([path, (await ask({ path })).status]).toEqual([path, 404]);
  }
});

describe("the runner's own API is not reached", () => {
  const calls: [string, string][] = [
    ["POST", "finalize"],
    ["POST", "initialise"],
    ["POST", "start"],
    ["POST", "next-test"],
    ["GET", "status"],
    ["GET", "health"],
    ["GET", "requests"],
    ["GET", "request/0"],
    ["GET", "proceed"],
  ];
  /** Ways to write "one level up and then". */
  const SPELLINGS = [
    "",
    "../",
    "./../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..%252f",
    "%252e%252e/",
    ".%2e/",
    "..\\",
    "..%5c",
    "..;/",
    "/../",
    "//",
    "dcap/../../",
    "dcap/%2e%2e/%2e%2e/",
    "envoy/../../",
    "..%00/",
    "%c0%ae%c0%ae/",
  ];
  test.each(calls)("%s /%s, by any spelling", async (method, call) => {
    for (const spelling of SPELLINGS) {
      const path = `/${name}/${spelling}${call}`;
      const { status, body } = await ask({ path, method });
      expect([path, status]).not.toEqual([path, 200]);
      expect([path, status]).not.toEqual([path, 201]);
      expect(body).not.toMatch(/timestampStatus|requestIds|handled|^PK/);
    }
    for (const target of [
      `https://localhost/${call}`,
      `http://x/${call}`,
      `/${call}`,
      `/../${call}`,
      `/${name}/../${call}`,
    ]) {
      expect([target, (await ask({ path: target, method })).status]).not.toEqual([target, 200]);
    }
    const status = await installation.user.ask<{ live: boolean }>("runs.status", { runId: run.runId });
    expect(status.live).toBe(true);
  });
});

test("a chunked request arrives with a length, and does not hang the proxy for everybody", async () => {
  const headers = { "transfer-encoding": "chunked", "content-type": "application/sep+xml" };
  const chunked = await ask({ path: `/${name}/edev`, method: "POST", headers, body: "<x/>" });
  expect(chunked.status).toBeLessThan(500);
  expect((await ask()).status).toBe(200);
});

test("without the CA Secret the door is closed, and opens again with it", async () => {
  const { core } = installation.cluster.client;
  const place = { namespace: "test-execution", name: "tls-ca-certificate" };
  const { metadata, ...secret } = await core.readNamespacedSecret(place);
  await core.deleteNamespacedSecret(place);
  await expect.poll(async () => (await ask()).status).toBeGreaterThanOrEqual(400);
  await core.createNamespacedSecret({
    namespace: place.namespace,
    body: { ...secret, metadata: { name: metadata?.name ?? "" } },
  });
  await expect.poll(async () => (await ask()).status, { timeout: 10_000 }).toBe(200);
});

test("an instance in another's place passes nothing on, whoever asks", async () => {
  const { user, cluster } = installation;
  const [one, other] = await Promise.all([user.createLive("ALL-01"), user.createLive("ALL-01")]);
  const nameOf = ({ testUrl }: RunView): string => new URL(testUrl ?? "").pathname.split("/")[1] ?? "";
  const place = { namespace: "test-execution", name: nameOf(one.run) };
  const { core } = cluster.client;
  const selectorOf = async (name: string) =>
    (await core.readNamespacedService({ namespace: place.namespace, name })).spec?.selector;
  const own = await selectorOf(place.name);
  const lead = (value: typeof own) =>
    core.patchNamespacedService({ ...place, body: [{ op: "replace", path: "/spec/selector", value }] });
  const ask = async () =>
    (await askEdge(cluster, { path: `/${place.name}/dcap`, certificate: other.certificate })).status;
  await lead(await selectorOf(nameOf(other.run)));
  // Its own runner refuses the other's certificate; the other's runner, which knows it, does not know the way.
  await expect.poll(ask, { timeout: 20_000 }).toBe(404);
  await lead(own);
  await expect.poll(ask, { timeout: 20_000 }).toBe(403);
  for (const { run } of [one, other]) await user.ask("runs.finalise", { runId: run.runId });
  for (const { run } of [one, other]) await user.untilGone(run.runId);
});
