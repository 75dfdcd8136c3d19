import { type Kysely, sql } from "kysely";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Database } from "../src/database.ts";
import { listen } from "../src/notifications.ts";
import { appendEvent, listEvents } from "../src/queries/events.ts";
import { writeIntention } from "../src/queries/intentions.ts";
import { findRun } from "../src/queries/runs.ts";
import {
  commitTransition,
  keepWake,
  LeaseLostError,
  leaseTeststack,
  listDueTeststacks,
  releaseTeststack,
  renewLease,
  wakeTeststack,
} from "../src/queries/teststacks.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing/index.ts";
import { createCaller, createTestRun } from "./_records.ts";

let database: TestDatabase;
let teststackId: string;
let runId: string;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

async function freshTeststack(): Promise<void> {
  const run = await createTestRun(database.db, await createCaller(database.db));
  teststackId = run.teststack_id;
  runId = run.id;
}

async function due(): Promise<boolean> {
  return (await listDueTeststacks(database.db, 1000)).includes(teststackId);
}

test("of many reconcilers one gets the lease; it is taken over only when it has run out", async () => {
  await freshTeststack();
  expect(await due()).toBe(true);
  const owners = Array.from({ length: 20 }, (_, index) => `replica-${index}`);
  const leases = await Promise.all(
    owners.map((owner) => leaseTeststack(database.db, { teststackId, owner, leaseSeconds: 60 })),
  );
  const winners = leases.filter((lease) => lease !== undefined);
  expect(winners).toHaveLength(1);
  const owner = winners[0]?.lease_owner ?? "";
  expect(await due()).toBe(false);

  expect(await renewLease(database.db, { teststackId, owner, leaseSeconds: -1 })).toBe(true);
  expect(await due()).toBe(true);
  const taken = await leaseTeststack(database.db, { teststackId, owner: "other", leaseSeconds: 60 });
  expect(taken?.lease_owner).toBe("other");
  expect(await renewLease(database.db, { teststackId, owner, leaseSeconds: 60 })).toBe(false);
});

test("news of a teststack that another holds are kept until that one gives it back, or for now where it has", async () => {
  await freshTeststack();
  const owner = "holder";
  const later = new Date(Date.now() + 60_000);
  await leaseTeststack(database.db, { teststackId, owner, leaseSeconds: 60 });
  await keepWake(database.db, teststackId);
  expect(await due()).toBe(false);
  await releaseTeststack(database.db, { teststackId, owner, nextAttemptAt: later });
  expect(await due()).toBe(true);
  await leaseTeststack(database.db, { teststackId, owner, leaseSeconds: 60 });
  await releaseTeststack(database.db, { teststackId, owner, nextAttemptAt: later });
  expect(await due()).toBe(false);
  await keepWake(database.db, teststackId);
  expect(await due()).toBe(true);
});

test("a holder that is gone is seen to be gone; one that is there, or was there a moment ago, keeps its lease", async () => {
  await freshTeststack();
  const owner = "replica-with-a-connection";
  const age = (seconds: number) =>
    database.db
      .updateTable("teststack")
      .set({ lease_renewed_at: new Date(Date.now() - seconds * 1000) })
      .where("id", "=", teststackId)
      .execute();
  const connected = Promise.withResolvers<void>();
  const presence = { url: database.url, channels: [], presence: owner, onNotification: () => {} };
  const listener = listen({ ...presence, onConnected: connected.resolve });
  await connected.promise;
  await leaseTeststack(database.db, { teststackId, owner, leaseSeconds: 60 });
  await age(10);
  expect(await due()).toBe(false);
  await age(-3_600);
  expect(await due()).toBe(false);
  await listener[Symbol.asyncDispose]();
  await age(0);
  expect(await due()).toBe(false);
  // Renewed in the future: the clock was set back.
  await age(-3_600);
  await expect.poll(due).toBe(true);
  await age(10);
  await expect.poll(due).toBe(true);
  expect(await leaseTeststack(database.db, { teststackId, owner: "heir", leaseSeconds: 60 })).toBeDefined();
});

test("a wake that comes while it is held is not lost; a later look never pushes back an earlier one", async () => {
  await freshTeststack();
  const lease = { teststackId, owner: "me" };
  await leaseTeststack(database.db, { ...lease, leaseSeconds: 60 });
  await wakeTeststack(database.db, teststackId);
  await releaseTeststack(database.db, { ...lease, nextAttemptAt: new Date(Date.now() + 3_600_000) });
  expect(await due()).toBe(true);

  await leaseTeststack(database.db, { ...lease, leaseSeconds: 60 });
  await releaseTeststack(database.db, { ...lease, nextAttemptAt: null });
  expect(await due()).toBe(false);
  await wakeTeststack(database.db, teststackId);
  expect(await due()).toBe(true);
});

test("a transition is written whole by the holder of the lease at the version that it read, or not at all", async () => {
  await freshTeststack();
  const lease = { teststackId, owner: "me" };
  await leaseTeststack(database.db, { ...lease, leaseSeconds: 60 });
  const event = { kind: "created", message: "Created.", detail: { name: "x" } };
  const version = await commitTransition(database.db, {
    ...lease,
    version: 0,
    teststack: { phase: "created", owner_uid: "uid-1" },
    run: { id: runId, set: { start_refusal: "no" } },
    events: [event],
  });
  expect(version).toBe(1);
  const stale = { ...lease, version: 0, run: { id: runId, set: { status: "failed" as const } }, events: [event] };
  await expect(commitTransition(database.db, stale)).rejects.toThrow(LeaseLostError);
  await expect(commitTransition(database.db, { ...stale, version: 1, owner: "other" })).rejects.toThrow(LeaseLostError);
  const run = await findRun(database.db, { runId, ownerId: undefined });
  expect(run).toMatchObject({ status: "provisioning", start_refusal: "no", event_count: 2 });
  const events = await listEvents(database.db, { runId, after: 1, limit: 10 });
  expect(events).toMatchObject([{ number: 2, teststack_id: teststackId, ...event }]);
});

test("a step's outcome does not undo a wish to finalise that came meanwhile", async () => {
  await freshTeststack();
  const lease = { teststackId, owner: "me" };
  await leaseTeststack(database.db, { ...lease, leaseSeconds: 60 });
  await writeIntention(database.db, { runId, intention: "finalise", by: "client", actorId: null });
  const outcome = { id: runId, set: { status: "started" as const, started_at: new Date() } };
  await commitTransition(database.db, { ...lease, version: 0, run: outcome });
  const run = await findRun(database.db, { runId, ownerId: undefined });
  expect(run).toMatchObject({ status: "finalising", started_at: expect.any(Date) });
  await commitTransition(database.db, { ...lease, version: 1, run: { id: runId, set: { status: "finalised" } } });
  expect(await findRun(database.db, { runId, ownerId: undefined })).toMatchObject({ status: "finalised" });
});

test("a wish that comes in the middle of a transition waits for its end, holding nothing that the transition needs", async () => {
  const { db } = database;
  const run = await createTestRun(db, await createCaller(db));
  let wished: Promise<void> | undefined;
  await db.transaction().execute(async (trx) => {
    await wakeTeststack(trx, run.teststack_id);
    wished = writeIntention(db, { runId: run.id, intention: "finalise", by: "client", actorId: null });
    await vi.waitFor(async () => expect(await countWaiting(db)).toBe(1), { timeout: 10_000 });
    await appendEvent(trx, { runId: run.id, kind: "note", message: "Written first." });
  });
  await wished;
  const events = await listEvents(db, { runId: run.id, after: 1, limit: 9 });
  expect(events.map((event) => event.kind)).toEqual(["note", "finalise_requested"]);
});

test("one that is gone is never leased or due again", async () => {
  await freshTeststack();
  const lease = { teststackId, owner: "me" };
  await leaseTeststack(database.db, { ...lease, leaseSeconds: 60 });
  await commitTransition(database.db, { ...lease, version: 0, teststack: { phase: "gone" } });
  await wakeTeststack(database.db, teststackId);
  await releaseTeststack(database.db, { ...lease, nextAttemptAt: new Date(0) });
  expect(await due()).toBe(false);
  expect(await leaseTeststack(database.db, { ...lease, leaseSeconds: 60 })).toBeUndefined();
});

/** How many connections of this database wait for another's lock. */
async function countWaiting(connection: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ waiting: string }>`
    select count(*) as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
  `.execute(connection);
  return Number(rows[0]?.waiting);
}
