import { connect, isDatabaseAway, listen } from "@cactus/db";
import { createTestDatabase, type TestDatabase } from "@cactus/db/testing";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
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
