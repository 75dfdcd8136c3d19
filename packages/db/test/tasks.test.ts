import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { listen } from "../src/notifications.ts";
import { finishTask, leaseTask } from "../src/queries/tasks.ts";
import { createTestDatabase } from "../src/testing/index.ts";

test("a task is done by one replica, again when due, and taken over from one that died", async () => {
  await using database = await createTestDatabase();
  const take = (owner: string, leaseSeconds = 60) =>
    leaseTask(database.db, { name: "sweep", owner, leaseSeconds, repeatEverySeconds: 3600 });
  const taken = await Promise.all(Array.from({ length: 10 }, (_, index) => take(`replica-${index}`)));
  expect(taken.filter(Boolean)).toHaveLength(1);
  const owner = `replica-${taken.indexOf(true)}`;
  await finishTask(database.db, { name: "sweep", owner: "another", repeatEverySeconds: 0 });
  expect(await take("late")).toBe(false);

  await finishTask(database.db, { name: "sweep", owner, repeatEverySeconds: 3600 });
  expect(await take("early")).toBe(false);
  await finishTask(database.db, { name: "sweep", owner: "early", repeatEverySeconds: 0 });
  await database.db
    .updateTable("task")
    .set({ next_due_at: new Date(0) })
    .execute();
  expect(await take("dying", -1)).toBe(true);
  expect(await take("heir")).toBe(true);
});

test("a task of a replica that is gone is taken over within seconds, of one that is there not before its time", async () => {
  await using database = await createTestDatabase();
  const take = (owner: string) =>
    leaseTask(database.db, { name: "sweep", owner, leaseSeconds: 60, repeatEverySeconds: 120 });
  const connected = Promise.withResolvers<void>();
  const presence = listen({
    url: database.url,
    channels: [],
    presence: "first",
    onNotification: () => {},
    onConnected: connected.resolve,
  });
  await connected.promise;
  expect(await take("first")).toBe(true);
  await sleep(3_100);
  expect(await take("second")).toBe(false);
  await presence[Symbol.asyncDispose]();
  await expect.poll(() => take("second"), { timeout: 10_000 }).toBe(true);
  // The heir, which is not there either, has just begun.
  expect(await take("third")).toBe(false);
});

test("a clock that was set back holds up no task", async () => {
  await using database = await createTestDatabase();
  const take = (owner: string) =>
    leaseTask(database.db, { name: "sweep", owner, leaseSeconds: 60, repeatEverySeconds: 120 });
  const setBack = () =>
    sql`update task set next_due_at = next_due_at + interval '1 hour', lease_expires_at = lease_expires_at + interval '1 hour'`.execute(
      database.db,
    );
  expect(await take("holder")).toBe(true);
  expect(await take("other")).toBe(false);
  await setBack();
  expect(await take("heir")).toBe(true);
  await finishTask(database.db, { name: "sweep", owner: "heir", repeatEverySeconds: 120 });
  expect(await take("early")).toBe(false);
  await setBack();
  expect(await take("late")).toBe(true);
});
