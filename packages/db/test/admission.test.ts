import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type AdmissionLimits,
  admitTeststacks,
  countQueue,
  QueueFullError,
  tellQueue,
} from "../src/queries/admission.ts";
import { listEvents } from "../src/queries/events.ts";
import type { RunRecord } from "../src/queries/runs.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing/index.ts";
import { createCaller, createTestRun } from "./_records.ts";

type Caller = Awaited<ReturnType<typeof createCaller>>;

const limits: AdmissionLimits = { live: 4, livePerUser: 3, queued: 6, queuedPerUser: 4 };

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database[Symbol.asyncDispose]());

const create = (caller: Caller) => createTestRun(database.db, caller, { limits });

async function createMany(caller: Caller, count: number): Promise<RunRecord[]> {
  const runs: RunRecord[] = [];
  for (let index = 0; index < count; index += 1) runs.push(await create(caller));
  return runs;
}

/** Whether each run's teststack has its place. */
async function admitted(runs: RunRecord[]): Promise<boolean[]> {
  const rows = await database.db.selectFrom("teststack").select(["id", "admitted_at"]).execute();
  return runs.map((run) => rows.find(({ id }) => id === run.teststack_id)?.admitted_at != null);
}

async function leave(run: RunRecord | undefined, lifeSeconds = 0): Promise<void> {
  const id = run?.teststack_id ?? "";
  await sql`
    update teststack set phase = 'gone', gone_at = admitted_at + make_interval(secs => ${lifeSeconds}) where id = ${id}
  `.execute(database.db);
}

async function told(run: RunRecord | undefined): Promise<string[]> {
  const events = await listEvents(database.db, { runId: run?.id ?? "", after: 0, limit: 100 });
  return events.filter(({ kind }) => kind !== "requested").map(({ kind, message }) => `${kind}: ${message}`);
}

test("places go to the users with the fewest first, to each user's runs in their order", async () => {
  const [greedy, modest] = [await createCaller(database.db), await createCaller(database.db)];
  const many = await createMany(greedy, 6);
  expect(await admitted(many)).toEqual([true, true, true, false, false, false]);
  const few = await createMany(modest, 2);
  expect(await admitted(few)).toEqual([true, false]);
  // One of the greedy one's ends: the modest one, with fewer, is next, though it came last.
  await leave(many[0]);
  expect(await admitTeststacks(database.db, limits)).toBe(1);
  expect(await admitted([...many, ...few])).toEqual([true, true, true, false, false, false, true, true]);
  await leave(many[1]);
  expect(await admitTeststacks(database.db, limits)).toBe(1);
  expect(await admitted(many)).toEqual([true, true, true, true, false, false]);
  expect(await countQueue(database.db)).toBe(2);
});

test("whoever waits is told why, where in the queue, and about how long", async () => {
  const caller = await createCaller(database.db);
  const [first, second, third] = await createMany(caller, 3);
  expect(await told(third)).toEqual([]);
  const [fourth, fifth] = await createMany(caller, 2);
  expect(await told(fourth)).toEqual([
    "queued: You have 3 live instances, as many as one user may have: number 1 in the queue.",
  ]);
  expect(await told(fifth)).toEqual([expect.stringContaining("number 2 in the queue.")]);
  await leave(first, 600);
  await admitTeststacks(database.db, limits);
  expect((await told(fourth)).at(-1)).toBe("admitted: A place is free: the instance is made now.");
  // Not again within seconds.
  await tellQueue(database.db, limits);
  expect(await told(fifth)).toHaveLength(1);
  await sql`update teststack set queue_told_at = queue_told_at - interval '6 seconds'`.execute(database.db);
  await tellQueue(database.db, limits);
  // A place among three becomes free each 200 s, when each lives for 600 s.
  expect((await told(fifth)).at(-1)).toBe(
    "queued: You have 3 live instances, as many as one user may have: number 1 in the queue, about 3 min until the test is ready.",
  );
  await leave(second);
  await admitTeststacks(database.db, limits);
  await tellQueue(database.db, limits);
  expect((await told(fifth)).map((line) => line.split(":")[0])).toEqual(["queued", "queued", "admitted"]);
});

test("one who is held up by all is told so", async () => {
  const [one, other] = [await createCaller(database.db), await createCaller(database.db)];
  await createMany(one, 3);
  const [, queued] = await createMany(other, 2);
  expect(await told(queued)).toEqual(["queued: All places are taken: number 1 in the queue."]);
});

test("a full queue refuses, and nothing is written", async () => {
  const [one, other] = [await createCaller(database.db), await createCaller(database.db)];
  await createMany(one, 7);
  const refusal = await create(one).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(QueueFullError);
  expect(refusal).toMatchObject({ whose: "user" });
  await createMany(other, 3);
  await expect(create(other)).rejects.toMatchObject({ whose: "all" });
  const { count } = await database.db
    .selectFrom("run")
    .select((query) => query.fn.countAll<string>().as("count"))
    .executeTakeFirstOrThrow();
  expect(Number(count)).toBe(10);
});

test("of many at once, no more are let in than there are places, whoever lets them in", async () => {
  const callers = await Promise.all(Array.from({ length: 5 }, () => createCaller(database.db)));
  const roomy = { live: 12, livePerUser: 3, queued: 100, queuedPerUser: 100 };
  const creations = callers.flatMap((caller) =>
    Array.from({ length: 6 }, () => createTestRun(database.db, caller, { limits: roomy })),
  );
  const admissions = Array.from({ length: 10 }, () => admitTeststacks(database.db, roomy));
  const runs = await Promise.all(creations);
  await Promise.all(admissions);
  await admitTeststacks(database.db, roomy);
  expect((await admitted(runs)).filter(Boolean)).toHaveLength(12);
  const perUser = await sql<{ count: number }>`
    select count(*)::int as count from teststack where admitted_at is not null group by user_id
  `.execute(database.db);
  for (const { count } of perUser.rows) expect(count).toBeLessThanOrEqual(3);
});

test("one that is finalised while it waits leaves the queue", async () => {
  const caller = await createCaller(database.db);
  const [, , , waiting, next] = await createMany(caller, 5);
  await sql`update teststack set phase = 'collecting' where id = ${waiting?.teststack_id}`.execute(database.db);
  expect(await countQueue(database.db)).toBe(1);
  await leave(waiting);
  expect(await admitTeststacks(database.db, limits)).toBe(0);
  expect(await admitted([next as RunRecord])).toEqual([false]);
});
