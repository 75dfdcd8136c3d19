import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findArtifact, storeArtifact } from "../src/queries/artifacts.ts";
import { listEvents } from "../src/queries/events.ts";
import { writeIntention } from "../src/queries/intentions.ts";
import { extendRun } from "../src/queries/live-runs.ts";
import { findRun, listRuns } from "../src/queries/runs.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing/index.ts";
import { createCaller, createTestRun } from "./_records.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

test("twenty calls with one idempotency key create one run; the same key of another user is another run", async () => {
  const caller = await createCaller(database.db);
  const idempotencyKey = randomUUID();
  const runs = await Promise.all(
    Array.from({ length: 20 }, () => createTestRun(database.db, caller, { idempotencyKey })),
  );
  expect(new Set(runs.map((run) => run.id)).size).toBe(1);
  expect(runs[0]).toMatchObject({ status: "provisioning", event_count: 1, artifact_kind: null });
  const other = await createTestRun(database.db, await createCaller(database.db), { idempotencyKey });
  expect(other.id).not.toBe(runs[0]?.id);
});

test("lists page from the newest to the oldest, of the owner alone, by status", async () => {
  const caller = await createCaller(database.db);
  const ids: string[] = [];
  for (let count = 0; count < 5; count += 1) ids.unshift((await createTestRun(database.db, caller)).id);
  await createTestRun(database.db, await createCaller(database.db));
  const first = await listRuns(database.db, { ownerId: caller.userId, limit: 3 });
  const second = await listRuns(database.db, { ownerId: caller.userId, limit: 3, before: first.at(-1)?.number ?? "" });
  expect([...first, ...second].map((run) => run.id)).toEqual(ids);
  expect(await listRuns(database.db, { ownerId: caller.userId, limit: 9, status: "started" })).toEqual([]);
  expect((await listRuns(database.db, { ownerId: undefined, limit: 9 })).length).toBeGreaterThan(5);
});

test("what is another's is not found", async () => {
  const run = await createTestRun(database.db, await createCaller(database.db));
  const stranger = await createCaller(database.db);
  expect(await findRun(database.db, { runId: run.id, ownerId: stranger.userId })).toBeUndefined();
  expect(await findRun(database.db, { runId: run.id, ownerId: run.user_id })).toMatchObject({ id: run.id });
});

test("an intention is written once, whoever writes it at once, and only where the status allows", async () => {
  const run = await createTestRun(database.db, await createCaller(database.db));
  const intention = { runId: run.id, by: "client", actorId: run.user_id } as const;
  await Promise.all(
    Array.from({ length: 20 }, () => writeIntention(database.db, { ...intention, intention: "finalise" })),
  );
  await writeIntention(database.db, { ...intention, intention: "start" });
  await writeIntention(database.db, { ...intention, intention: "finalise", by: "timeout" });
  expect(await findRun(database.db, { runId: run.id, ownerId: undefined })).toMatchObject({
    status: "finalising",
    start_requested_at: null,
    finalise_requested_by: "client",
  });
  const events = await listEvents(database.db, { runId: run.id, after: 0, limit: 100 });
  expect(events.map((event) => event.kind)).toEqual(["requested", "finalise_requested"]);
});

test("what a user has extended no sweep ends, and what is being finalised nobody extends", async () => {
  const { id: runId } = await createTestRun(database.db, await createCaller(database.db));
  const until = new Date(Date.now() + 60_000);
  const setRun = (set: { status?: "started"; extended_until?: Date }) =>
    database.db.updateTable("run").set(set).where("id", "=", runId).execute();
  const finalise = async (by: "timeout" | "lifetime" | "client") => {
    await writeIntention(database.db, { runId, intention: "finalise", by, actorId: null });
    return (await findRun(database.db, { runId, ownerId: undefined }))?.finalise_requested_by;
  };
  const extend = async (to: Date) => {
    await extendRun(database.db, { runId, until: to, by: "client", actorId: randomUUID() });
    return (await findRun(database.db, { runId, ownerId: undefined }))?.extended_until;
  };
  expect(await extend(until)).toBeNull();
  await setRun({ status: "started" });
  expect(await extend(until)).toEqual(until);
  expect([await finalise("timeout"), await finalise("lifetime")]).toEqual([null, null]);
  await setRun({ extended_until: new Date(Date.now() - 1_000) });
  expect(await finalise("lifetime")).toBe("lifetime");
  expect(await extend(until)).not.toEqual(until);
});

test("a deleted run is hidden, and the bytes of one that had ended are removed", async () => {
  const caller = await createCaller(database.db);
  const run = await createTestRun(database.db, caller);
  const content = (async function* () {
    yield Buffer.from("zip");
  })();
  await storeArtifact(database.db, { runId: run.id, kind: "complete", fileName: "a", contentType: "b", content });
  await database.db.updateTable("run").set({ ended_at: new Date() }).where("id", "=", run.id).execute();
  await writeIntention(database.db, { runId: run.id, intention: "delete", by: "client", actorId: null });
  expect(await findRun(database.db, { runId: run.id, ownerId: caller.userId })).toBeUndefined();
  expect(await listRuns(database.db, { ownerId: caller.userId, limit: 9 })).toEqual([]);
  expect(await findArtifact(database.db, run.id)).toBeUndefined();
  const hidden = await findRun(database.db, { runId: run.id, ownerId: caller.userId, withDeleted: true });
  expect(hidden?.deleted_at).toBeInstanceOf(Date);
});
