import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, type IncomingMessage, get as open } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { storeArtifact } from "@cactus/db";
import { createTestDatabase } from "@cactus/db/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestOrchestrator, type TestOrchestrator } from "./_orchestrator.ts";
import { insertRun } from "./_records.ts";
import { startTcpProxy } from "./_tcp-proxy.ts";

let orchestrator: TestOrchestrator;
let runId: string;
let token: string;
const zip = randomBytes(1_300_000);
const etag = `"${createHash("sha256").update(zip).digest("hex")}"`;

beforeAll(async () => {
  orchestrator = await startTestOrchestrator();
  const { db } = orchestrator.database;
  runId = (await insertRun(db, "owner")).id;
  token = await orchestrator.sign({ sub: "owner" });
  const content = (async function* () {
    yield zip;
  })();
  await storeArtifact(db, { runId, kind: "complete", fileName: "a.zip", contentType: "application/zip", content });
});
afterAll(() => orchestrator[Symbol.asyncDispose]());

function get(headers: Record<string, string> = {}, path = `/runs/${runId}/artifact`): Promise<Response> {
  return fetch(orchestrator.url + path, { headers: { authorization: `Bearer ${token}`, ...headers } });
}

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

test("an artifact comes whole, with its name, size and hash", async () => {
  const response = await get();
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "application/zip",
    "content-length": String(zip.length),
    "content-disposition": 'attachment; filename="a.zip"',
    "accept-ranges": "bytes",
    etag,
  });
  expect((await bytesOf(response)).equals(zip)).toBe(true);
  expect((await get({ "if-none-match": etag })).status).toBe(304);
});

test("a broken download goes on where it ended, unless the artifact is another by now", async () => {
  const rest = await get({ range: "bytes=600000-", "if-range": etag });
  expect(rest.status).toBe(206);
  expect(rest.headers.get("content-range")).toBe(`bytes 600000-${zip.length - 1}/${zip.length}`);
  expect((await bytesOf(rest)).equals(zip.subarray(600_000))).toBe(true);
  const whole = await get({ range: "bytes=600000-", "if-range": '"other"' });
  expect([whole.status, (await bytesOf(whole)).length]).toEqual([200, zip.length]);
  const beyond = await get({ range: `bytes=${zip.length}-` });
  expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, `bytes */${zip.length}`]);
});

test("a signed link opens it without a token, for its own run and unchanged", async () => {
  const { data } = await orchestrator.call("runs.artifactLink", { runId }, { token });
  const { path } = data as { path: string };
  const open = async (changed: string) => (await fetch(orchestrator.url + changed)).status;
  expect(await open(path)).toBe(200);
  expect(await open(path.replace(/signature=./, "signature=_"))).toBe(403);
  expect(await open(path.replace(/expires=\d/, "expires=9"))).toBe(403);
  const other = await insertRun(orchestrator.database.db, "owner");
  expect(await open(path.replace(runId, other.id))).toBe(403);
});

test("nobody else gets it, and none is told from another's", async () => {
  const stranger = { authorization: `Bearer ${await orchestrator.sign()}` };
  const none = await insertRun(orchestrator.database.db, "owner");
  for (const response of [
    await get(stranger),
    await get({}, `/runs/${none.id}/artifact`),
    await get({}, "/runs/x/artifact"),
  ]) {
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ reason: "not_found", message: "There is no such artifact." });
  }
  expect((await get({ authorization: "" })).status).toBe(401);
  const admin = { authorization: `Bearer ${await orchestrator.sign({ permissions: ["admin:all"] })}` };
  expect((await get(admin)).status).toBe(200);
});

test("the process tells how it is: alive, ready, and what it counts", async () => {
  const health = await fetch(`${orchestrator.url}/healthz`);
  expect([health.status, await health.json()]).toEqual([200, { status: "ok" }]);
  const ready = await fetch(`${orchestrator.url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([200, { status: "ok", database: "ok" }]);
  const metrics = await (await fetch(`${orchestrator.url}/metrics`)).text();
  expect(metrics).toContain('cactus_http_requests_total{route="/healthz",status="200"} 1');
  expect(health.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
});

test("one that is stopped is not ready, gives the answers under way to the last byte, and ends what waits for nothing", async () => {
  const leaving = await startTestOrchestrator({ HTTP_LINGER_SECONDS: "1" });
  const { db } = leaving.database;
  const { id } = await insertRun(db, "owner");
  const whole = randomBytes(24 * 1024 * 1024);
  const content = Readable.from([whole]);
  await storeArtifact(db, { runId: id, kind: "complete", fileName: "a.zip", contentType: "application/zip", content });
  const agent = new Agent({ keepAlive: true });
  const ask = async (path: string, sent: object = {}): Promise<IncomingMessage> =>
    (await once(open(leaving.url + path, { agent, ...sent }), "response"))[0];
  (await ask("/healthz")).resume();
  const authorization = `Bearer ${await leaving.sign({ sub: "owner" })}`;
  const download = await ask(`/runs/${id}/artifact`, { headers: { authorization } });
  const stopped = leaving[Symbol.asyncDispose]();
  const ready = await ask("/readyz");
  expect([ready.statusCode, ready.headers.connection]).toEqual([503, "close"]);
  const bytes: Buffer[] = [];
  for await (const piece of download) {
    bytes.push(piece);
    // Longer than it lingers, than the server needs to write it all, and than Fastify lets a hook take by default.
    await sleep(piece.length / 2_000);
  }
  expect(Buffer.concat(bytes).equals(whole)).toBe(true);
  await stopped;
  await expect(ask("/healthz")).rejects.toThrow("ECONNREFUSED");
  agent.destroy();
});

test("without its database it is alive and not ready, calls can be tried again, and it comes back by itself", async () => {
  await using database = await createTestDatabase({ empty: true });
  const { hostname, port } = new URL(database.url);
  await using proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  const url = Object.assign(new URL(database.url), { port: String(proxy.port) }).href;
  await using proxied = await startTestOrchestrator({ ORCHESTRATOR_DATABASE_URL: url });
  const token = await proxied.sign();
  const call = async () => (await proxied.call("runs.list", {}, { token })).status;
  expect(await call()).toBe(200);

  proxy.cut();
  expect((await fetch(`${proxied.url}/healthz`)).status).toBe(200);
  const ready = await fetch(`${proxied.url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([503, { status: "not ready", database: "does not answer" }]);
  const { status, error } = await proxied.call("runs.list", {}, { token });
  expect(status).toBe(503);
  expect(error).toMatchObject({
    reason: "unavailable",
    message: "The database does not answer now: try again in a moment.",
  });
  expect(
    (await fetch(`${proxied.url}/runs/${runId}/artifact`, { headers: { authorization: `Bearer ${token}` } })).status,
  ).toBe(503);

  proxy.restore();
  await expect.poll(call).toBe(200);
});
