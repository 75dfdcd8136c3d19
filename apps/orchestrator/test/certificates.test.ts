import "reflect-metadata";
import { webcrypto, X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { beginRotation, finishRotation } from "@cactus/core/kubernetes";
import { createHierarchy, issueServerCertificate, loadAuthority, splitPem } from "@cactus/core/pki";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askEdge } from "./_edge.ts";
import { startTestInstallation, type TestInstallation } from "./_installation.ts";
import { startTestOrchestrator } from "./_orchestrator.ts";

let installation: TestInstallation;
beforeAll(async () => {
  installation = await startTestInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

const SIGNER = { namespace: "test-orchestration", name: "tls-ca-cert-key-pair" };
const TRUST = { namespace: "test-execution", name: "tls-ca-certificate" };
const SERVER = { namespace: "test-execution", name: "tls-server-certificate" };
const DAY_MS = 86_400_000;
/** How long a change may take to be seen on a busy machine. */
const SOON = { timeout: 20_000, interval: 50 };

const PLACES = {
  names: { caCertificateSecret: TRUST.name, caKeyPairSecret: SIGNER.name, serverSecret: SERVER.name },
  namespaces: { orchestration: SIGNER.namespace, execution: TRUST.namespace },
};
const rotation = () => ({ ...PLACES, fqdn: "localhost", organisation: "test", now: new Date() });

type Files = Record<string, string | undefined>;

async function readFiles(place: typeof SIGNER): Promise<Files> {
  const { data = {} } = await installation.cluster.client.core.readNamespacedSecret(place);
  return Object.fromEntries(Object.entries(data).map(([file, text]) => [file, Buffer.from(text, "base64").toString()]));
}

/** Writes as an operator with kubectl does; a file that is undefined is removed. */
async function writeFiles(place: typeof SIGNER, files: Files): Promise<void> {
  const { core } = installation.cluster.client;
  const secret = await core.readNamespacedSecret(place);
  const entries = Object.entries({ ...(await readFiles(place)), ...files }).flatMap(([file, text]) =>
    text === undefined ? [] : [[file, Buffer.from(text).toString("base64")]],
  );
  await core.replaceNamespacedSecret({ ...place, body: { ...secret, data: Object.fromEntries(entries) } });
}

const nameOf = (run: { testUrl: string | null }) => new URL(run.testUrl ?? "").pathname.split("/")[1] ?? "";
const authority = async () =>
  (await installation.user.ask<{ certificatePem: string }>("certificates.authority")).certificatePem;
const readyz = async () => {
  const response = await fetch(`${installation.orchestrator.url}/readyz`);
  return { code: response.status, ...((await response.json()) as { certificates: string }) };
};
const metrics = async (url = installation.orchestrator.url) => (await fetch(`${url}/metrics`)).text();

test("a rotation of the CA disturbs no live run, and its end shuts out the old certificates alone", async () => {
  const { cluster, user } = installation;
  const ask = (
    run: { testUrl: string | null },
    certificate: Parameters<typeof askEdge>[1]["certificate"],
    ca: string,
  ) => askEdge(cluster, { path: `/${nameOf(run)}/dcap`, ...(certificate && { certificate }), tls: { ca } });
  const oldRoot = await authority();
  const old = await user.createLive("ALL-01");
  expect((await ask(old.run, old.certificate, oldRoot)).status).toBe(200);

  expect(await beginRotation(cluster.client, rotation())).toBe("overlap");
  await expect.poll(async () => splitPem(await authority()).length, SOON).toBe(2);
  const bothRoots = await authority();
  expect(bothRoots).toContain(oldRoot);
  const fresh = await user.createLive("ALL-01");
  const newRoot = splitPem(bothRoots)[0]?.pem ?? "";
  expect(fresh.certificate.chainPem).not.toContain(splitPem(old.certificate.chainPem)[1]?.pem);
  // Whoever has learned the old root alone, or both, reaches its own run; the routes were made before and after.
  for (const { run, certificate } of [old, fresh]) {
    for (const ca of [oldRoot, bothRoots]) expect((await ask(run, certificate, ca)).status).toBe(200);
  }
  expect((await readyz()).certificates).toBe("ok");
  expect(await metrics()).toMatch(/^cactus_certificate_expiry_days\{certificate="previous"\} 54\d\d$/m);

  expect(await finishRotation(cluster.client, rotation())).toBe(true);
  await expect.poll(authority, SOON).toBe(newRoot);
  await expect.poll(async () => (await ask(old.run, old.certificate, newRoot)).status, SOON).toBe(400);
  expect((await ask(fresh.run, fresh.certificate, newRoot)).status).toBe(200);
  await expect(ask(fresh.run, fresh.certificate, oldRoot)).rejects.toThrow(/certificate/);
  const next = await user.createLive("ALL-01");
  expect((await ask(next.run, next.certificate, newRoot)).status).toBe(200);
  expect(await metrics()).not.toContain('certificate="previous"');
});

describe("what is wrong is told in words, and mended without a restart", () => {
  test.each<[string, typeof SIGNER, () => Files | Promise<Files>, RegExp]>([
    ["no key", SIGNER, () => ({ "tls.key": "" }), /tls\.key must hold exactly one private key/],
    ["another's key", SIGNER, otherKey, /tls\.key is not the key of the first certificate/],
    ["garbage for a certificate", SIGNER, () => ({ "tls.crt": "garbage" }), /tls\.crt holds no PEM block/],
    ["a damaged certificate", SIGNER, () => ({ "tls.crt": damaged() }), /certificate 1 is damaged/],
    ["a certificate that is no CA", SIGNER, serverPair, /is not a CA certificate/],
    ["a chain of two hierarchies", SIGNER, mixedChain, /was not issued by the certificate after it/],
    ["an expired CA", SIGNER, () => hierarchyFiles(new Date(Date.now() - 16 * 365 * DAY_MS)), /expired at/],
    ["a CA of tomorrow", SIGNER, () => hierarchyFiles(new Date(Date.now() + DAY_MS)), /is valid only from/],
  ])("%s", async (_, place, makeFiles, words) => {
    const before = await readFiles(place);
    await writeFiles(place, await makeFiles());
    const issue = () => installation.user.call("certificates.issue", { kind: "device" });
    await expect.poll(async () => (await issue()).error?.message, SOON).toMatch(words);
    const { status, error } = await issue();
    expect([status, error?.reason, error?.message]).toEqual([
      503,
      "unavailable",
      expect.stringContaining("Certificates cannot be issued now: Secret test-orchestration/tls-ca-cert-key-pair: "),
    ]);
    expect(await readyz()).toMatchObject({ code: 200, certificates: expect.stringMatching(words) });
    expect(await metrics()).toMatch(/^cactus_certificate_problems\{certificate="authority"\} 1$/m);
    await writeFiles(place, before);
    await expect.poll(async () => (await issue()).status, SOON).toBe(200);
    expect((await readyz()).certificates).toBe("ok");
  });

  test("a Secret that is not there", async () => {
    const { core } = installation.cluster.client;
    const expected = new Map([
      [SIGNER, "authority: The Secret does not exist."],
      [TRUST, "trust: The Secret does not exist."],
      [SERVER, "server: The Secret does not exist."],
    ]);
    for (const [place, words] of expected) {
      const { metadata, ...secret } = await core.readNamespacedSecret(place);
      await core.deleteNamespacedSecret(place);
      await expect.poll(async () => (await readyz()).certificates, SOON).toContain(words);
      const { error } = await installation.user.call("certificates.issue", { kind: "device" });
      expect(error?.message).toBe(
        place === SIGNER
          ? "Certificates cannot be issued now: Secret test-orchestration/tls-ca-cert-key-pair does not exist."
          : undefined,
      );
      const body = { ...secret, metadata: { name: place.name, ...(metadata?.labels && { labels: metadata.labels }) } };
      await core.createNamespacedSecret({ namespace: place.namespace, body });
      await expect.poll(async () => (await readyz()).certificates, SOON).toBe("ok");
    }
  });

  test.each<[string, typeof SIGNER, () => Files | Promise<Files>, RegExp]>([
    ["ca.crt missing", TRUST, () => ({ "ca.crt": undefined }), /trust: ca\.crt is missing/],
    ["ca.crt of others", TRUST, otherRoot, /authority: Its root is not in ca\.crt/],
    ["the server's key", SERVER, otherKey, /server: tls\.key is not the key of tls\.crt/],
    ["another CA's server", SERVER, otherServer, /server: Its chain leads neither to our CA nor to a public one/],
    ["another host's server", SERVER, otherHost, /server: It does not cover localhost/],
  ])("%s: only told", async (_, place, makeFiles, words) => {
    const before = await readFiles(place);
    await writeFiles(place, await makeFiles());
    await expect.poll(async () => (await readyz()).certificates, SOON).toMatch(words);
    expect((await readyz()).code).toBe(200);
    expect((await installation.user.call("certificates.issue", { kind: "device" })).status).toBe(200);
    await writeFiles(place, { ...before, "ca.crt": before["ca.crt"] });
    await expect.poll(async () => (await readyz()).certificates, SOON).toBe("ok");
  });
});

test("the server's certificate is renewed once by two replicas, in place, and a live run goes on", async () => {
  const { cluster, orchestrator, user } = installation;
  const { run, certificate } = await user.createLive("ALL-01");
  const files = await readFiles(SIGNER);
  const ca = loadAuthority({
    certificatePem: files["tls.crt"] ?? "",
    privateKeyPem: files["tls.key"] ?? "",
    now: new Date(),
  });
  // A quarter of an hour is left of a life that began an hour ago.
  const aged = await issueServerCertificate(ca, { dnsNames: ["localhost"], validityDays: 1 / 96, now: new Date() });
  const root = await authority();
  await writeFiles(SERVER, { "tls.crt": aged.certificatePem, "tls.key": aged.privateKeyPem });
  const agedFingerprint = new X509Certificate(aged.certificatePem).fingerprint256;
  await expect.poll(() => fingerprintOfEdge(root), SOON).toBe(agedFingerprint);

  await using second = await startTestOrchestrator({
    ...cluster.variables,
    ORCHESTRATOR_DATABASE_URL: orchestrator.database.url,
  });
  const countPuts = async () => {
    const texts = await Promise.all([orchestrator.url, second.url].map((url) => metrics(url)));
    const counts = texts.map((text) => Number(/requests_total\{method="PUT"\} (\d+)/.exec(text)?.[1] ?? 0));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const before = await countPuts();
  const dueNow = () =>
    orchestrator.database.db
      .updateTable("task")
      .set({ next_due_at: new Date(0) })
      .where("name", "=", "renew-server-certificate")
      .returning("last_run_at")
      .executeTakeFirstOrThrow();
  const lastRun = async () => {
    const task = orchestrator.database.db.selectFrom("task").select("last_run_at");
    return (await task.where("name", "=", "renew-server-certificate").executeTakeFirstOrThrow()).last_run_at;
  };
  // Twice, so that whoever was late has had its turn.
  for (const _ of [1, 2]) {
    const { last_run_at: earlier } = await dueNow();
    await expect.poll(lastRun, SOON).not.toEqual(earlier);
  }
  expect(await countPuts()).toBe(before + 1);
  await expect.poll(() => fingerprintOfEdge(root), SOON).not.toBe(agedFingerprint);
  const answer = await askEdge(cluster, { path: `/${nameOf(run)}/dcap`, certificate, tls: { ca: root } });
  expect(answer.status).toBe(200);
  await expect
    .poll(() => metrics(second.url), SOON)
    .toMatch(/^cactus_certificate_expiry_days\{certificate="server"\} 39[67]$/m);
});

function fingerprintOfEdge(ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const port = Number(installation.cluster.variables["TEST_EXECUTION_PORT"]);
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca }, () => {
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      resolve(fingerprint256);
    });
    socket.on("error", reject);
  });
}

async function hierarchyFiles(now: Date) {
  const { micaPem, mcaPem, sercaPem, micaPrivateKeyPem } = await createHierarchy({ organisation: "other", now });
  return { "tls.crt": micaPem + mcaPem + sercaPem, "tls.key": micaPrivateKeyPem };
}

async function otherKey(): Promise<Files> {
  return { "tls.key": (await hierarchyFiles(new Date()))["tls.key"] };
}

async function otherRoot(): Promise<Files> {
  const chain = splitPem((await hierarchyFiles(new Date()))["tls.crt"]);
  return { "ca.crt": chain.at(-1)?.pem };
}

async function mixedChain(): Promise<Files> {
  const [mica] = splitPem((await readFiles(SIGNER))["tls.crt"] ?? "");
  const [, ...issuers] = splitPem((await hierarchyFiles(new Date()))["tls.crt"]);
  return { "tls.crt": [mica, ...issuers].map((block) => block?.pem).join("") };
}

async function serverPair(): Promise<Files> {
  return readFiles(SERVER);
}

async function issueServer(files: Files, dnsName: string): Promise<Files> {
  const [certificatePem = "", privateKeyPem = ""] = [files["tls.crt"], files["tls.key"]];
  const now = new Date();
  const signer = loadAuthority({ certificatePem, privateKeyPem, now });
  const issued = await issueServerCertificate(signer, { dnsNames: [dnsName], now });
  return { "tls.crt": issued.certificatePem, "tls.key": issued.privateKeyPem };
}

async function otherServer(): Promise<Files> {
  return issueServer(await hierarchyFiles(new Date()), "localhost");
}

async function otherHost(): Promise<Files> {
  return issueServer(await readFiles(SIGNER), "elsewhere.example.com");
}

function damaged(): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from("damaged").toString("base64")}\n-----END CERTIFICATE-----\n`;
}

async function makeCsr(): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" };
  return (await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm })).toString("pem");
}

test("an idempotency key stands for one certificate: the same again for a key of one's own, a clear refusal otherwise", async () => {
  const { user, newUser } = installation;
  const [csr, otherCsr] = await Promise.all([makeCsr(), makeCsr()]);
  const request = { kind: "device", csr, idempotencyKey: "mine" };
  const both = await Promise.all([
    user.ask<object>("certificates.issue", request),
    user.ask("certificates.issue", request),
  ]);
  expect(both[0]).toEqual(both[1]);
  expect(await user.ask("certificates.issue", request)).toEqual(both[0]);
  const refuse = async (changes: object) => (await user.call("certificates.issue", { ...request, ...changes })).error;
  for (const changes of [{ csr: otherCsr }, { kind: "aggregator" }, { csr: undefined }]) {
    expect(await refuse(changes)).toMatchObject({
      reason: "conflict",
      message: expect.stringContaining("take a new one"),
    });
  }
  expect(await refuse({ csr: "x" })).toMatchObject({ reason: "invalid_input" });
  const other = await newUser("other");
  expect(await other.ask("certificates.issue", request)).not.toEqual(both[0]);
  const stored = await installation.orchestrator.database.db
    .selectFrom("client_certificate")
    .select("id")
    .where("idempotency_key", "=", "mine")
    .execute();
  expect(stored).toHaveLength(2);
});
