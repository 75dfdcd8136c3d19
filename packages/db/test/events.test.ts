import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { listen } from "../src/notifications.ts";
import { appendEvent, listEvents, RUN_EVENT_CHANNEL } from "../src/queries/events.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing/index.ts";
import { createCaller, createTestRun } from "./_records.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

test("numbers are without gaps in the order of commit, whoever writes at once", async () => {
  const run = await createTestRun(database.db, await createCaller(database.db));
  await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      database.db
        .transaction()
        .execute(async (trx) => {
          await sleep((index * 7) % 5);
          await appendEvent(trx, { runId: run.id, kind: "test", message: `event ${index}`, detail: { index } });
          if (index % 10 === 0) throw new Error("rolled back");
        })
        .catch(() => {}),
    ),
  );
  const events = await listEvents(database.db, { runId: run.id, after: 0, limit: 100 });
  expect(events.map((event) => event.number)).toEqual(Array.from({ length: 28 }, (_, index) => index + 1));
  const times = events.map((event) => event.at.getTime());
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const rest = await listEvents(database.db, { runId: run.id, after: 25, limit: 2 });
  expect(rest.map((event) => event.number)).toEqual([26, 27]);
});

test("a listener hears of every new event, also after its connection was cut", async () => {
  const run = await createTestRun(database.db, await createCaller(database.db));
  const heard: string[] = [];
  const onConnected = vi.fn();
  await using _listener = listen({
    url: database.url,
    channels: [RUN_EVENT_CHANNEL],
    onNotification: (channel, payload) => heard.push(`${channel} ${payload}`),
    onConnected,
  });
  await expect.poll(() => onConnected.mock.calls.length).toBe(1);
  await appendEvent(database.db, { runId: run.id, kind: "test", message: "one" });
  await appendEvent(database.db, { runId: randomUUID(), kind: "test", message: "of no run" });
  await expect.poll(() => heard).toEqual([`${RUN_EVENT_CHANNEL} ${run.id}`]);

  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'cactus-orchestrator listener' and datname = current_database()`.execute(database.db);
  await expect.poll(() => onConnected.mock.calls.length, { timeout: 10_000 }).toBe(2);
  await appendEvent(database.db, { runId: run.id, kind: "test", message: "two" });
  await expect.poll(() => heard.length).toBe(2);
});
