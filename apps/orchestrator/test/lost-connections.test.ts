import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectCluster } from "@cactus/core/kubernetes";
import { createHierarchy, issueServerCertificate, loadAuthority } from "@cactus/core/pki";
import { connect, isDatabaseAway, listen } from "@cactus/db";
import { createTestDatabase, type TestDatabase } from "@cactus/db/testing";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { startTcpProxy, type TcpProxy } from "./_tcp-proxy.ts";

const LONG = { timeout: 30_000, interval: 50 };

describe("a database whose packets are lost", () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let url: string;
  beforeAll(async () => {
    database = await createTestDatabase();
    const { hostname, port } = new URL(database.url);
    proxy = await startTcpProxy({ host: hostname, port: Number(port) });
    url = Object.assign(new URL(database.url), { port: String(proxy.port) }).href;
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  test("fails each query in time, and takes no later one with it", async () => {
    const db = connect({ url, maxConnections: 3, querySeconds: 1 });
    const ask = () => sql<{ one: number }>`select 1 as one`.execute(db);
    const write = () => db.transaction().execute((trx) => sql`select 1`.execute(trx));
    await Promise.all([ask(), ask(), ask()]);
    proxy.set({ kind: "black hole" });
    const results = await Promise.allSettled([ask(), write(), ask()]);
    expect(results.map((result) => result.status === "rejected" && isDatabaseAway(result.reason))).toEqual([
      true,
      true,
      true,
    ]);
    proxy.restore();
    // None of them meets a connection of before, whose packets are still lost.
    for (const { rows } of await Promise.all([ask(), ask(), ask()])) expect(rows).toEqual([{ one: 1 }]);
    await db.destroy();
  });

  test("does not hold up the end", async () => {
    const db = connect({ url, querySeconds: 1 });
    await sql`select 1`.execute(db);
    proxy.set({ kind: "black hole" });
    await db.destroy();
    proxy.restore();
  });

  test("is noticed by who only listens, who hears again of what comes after", async () => {
    const heard: string[] = [];
    let connections = 0;
    const errors: unknown[] = [];
    const silent = { onNotification: () => {}, onConnected: () => {} };
    // The server may believe for a while that a lost connection still stands, and holds its lock.
    await using _ = listen({ url: database.url, channels: [], presence: "somebody", ...silent });
    await using __ = listen({
      url,
      channels: ["news"],
      presence: "somebody",
      onNotification: (_channel, payload) => heard.push(payload),
      onConnected: () => {
        connections += 1;
      },
      onError: (error) => errors.push(error),
    });
    const tell = (what: string) => sql`select pg_notify('news', ${what})`.execute(database.db);
    await vi.waitFor(() => expect(connections).toBe(1), LONG);
    await tell("before");
    await vi.waitFor(() => expect(heard).toEqual(["before"]), LONG);
    proxy.set({ kind: "black hole" });
    await tell("meanwhile");
    proxy.restore();
    await vi.waitFor(() => expect(connections).toBe(2), LONG);
    expect(errors.every(isDatabaseAway)).toBe(true);
    await tell("after");
    await vi.waitFor(() => expect(heard).toEqual(["before", "after"]), LONG);
  });
});

test("an API server whose packets are lost is reached again, although it speaks HTTP/2 as well", async () => {
  await using stack = new AsyncDisposableStack();
  const now = new Date();
  const { sercaPem, mcaPem, micaPem, micaPrivateKeyPem } = await createHierarchy({ organisation: "CACTUS", now });
  const pair = { certificatePem: micaPem + mcaPem + sercaPem, privateKeyPem: micaPrivateKeyPem };
  const options = { dnsNames: ["localhost"], validityDays: 1, now };
  const { certificatePem: cert, privateKeyPem: key } = await issueServerCertificate(
    loadAuthority({ ...pair, now }),
    options,
  );
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ major: "1", minor: "36" }));
  });
  stack.defer(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy = stack.use(await startTcpProxy({ host: "127.0.0.1", port: (server.address() as AddressInfo).port }));
  const folder = await mkdtemp(join(tmpdir(), "cactus-http2-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const kubeconfig = join(folder, "kubeconfig");
  const name = "test";
  await writeFile(
    kubeconfig,
    stringify({
      clusters: [{ name, cluster: { server: `https://127.0.0.1:${proxy.port}`, "insecure-skip-tls-verify": true } }],
      users: [{ name, user: {} }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      "current-context": name,
    }),
  );
  const cluster = stack.use(connectCluster({ kubeconfig, timeoutSeconds: 1 }));
  await cluster.version();
  proxy.set({ kind: "black hole" });
  await expect(cluster.version()).rejects.toThrow();
  proxy.restore();
  await vi.waitFor(() => cluster.version(), LONG);
});
