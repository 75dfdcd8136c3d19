import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ARTIFACT_CHUNK_BYTES, findArtifact, readArtifact, storeArtifact } from "../src/queries/artifacts.ts";
import { appendEvent, listEvents } from "../src/queries/events.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing/index.ts";
import { createCaller, createTestRun } from "./_records.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

const metadata = { kind: "complete", fileName: "a.zip", contentType: "application/zip" } as const;

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

async function read(artifactId: string, start: number, end: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of readArtifact(database.db, { artifactId, start, end })) parts.push(part);
  return Buffer.concat(parts);
}

test.each([
  ["nothing", 0, 1],
  ["less than a chunk", 1000, 7],
  ["exactly a chunk, in odd pieces", ARTIFACT_CHUNK_BYTES, 65_537],
  ["several chunks, in pieces larger than one", 3 * ARTIFACT_CHUNK_BYTES + 1, 2 * ARTIFACT_CHUNK_BYTES - 1],
])("keeps %s byte for byte, with size and hash", async (_, length, pieceSize) => {
  const run = await createTestRun(database.db, await createCaller(database.db));
  const bytes = randomBytes(length);
  const stored = await storeArtifact(database.db, { ...metadata, runId: run.id, content: pieces(bytes, pieceSize) });
  expect(stored).toMatchObject({ size: String(length), sha256: createHash("sha256").update(bytes).digest("hex") });
  expect(await findArtifact(database.db, run.id)).toEqual(stored);
  expect((await read(stored.id, 0, length - 1)).equals(bytes)).toBe(true);
});

test("gives any range", async () => {
  const run = await createTestRun(database.db, await createCaller(database.db));
  const bytes = randomBytes(2 * ARTIFACT_CHUNK_BYTES + 100);
  const { id } = await storeArtifact(database.db, { ...metadata, runId: run.id, content: pieces(bytes, 100_000) });
  const edge = ARTIFACT_CHUNK_BYTES;
  const ranges: [number, number][] = [
    [0, 0],
    [5, 20],
    [edge - 1, edge],
    [edge, edge],
    [edge - 1, 2 * edge],
    [bytes.length - 1, bytes.length - 1],
  ];
  for (const [start, end] of ranges) {
    expect((await read(id, start, end)).equals(bytes.subarray(start, end + 1))).toBe(true);
  }
});

test("an artifact that breaks off, ends early or is sent twice leaves nothing half stored", async () => {
  const run = await createTestRun(database.db, await createCaller(database.db));
  const bytes = randomBytes(ARTIFACT_CHUNK_BYTES + 1);
  async function* breaking(): AsyncGenerator<Buffer> {
    yield bytes;
    throw new Error("connection closed");
  }
  await expect(storeArtifact(database.db, { ...metadata, runId: run.id, content: breaking() })).rejects.toThrow(
    "connection closed",
  );
  const short = { ...metadata, runId: run.id, content: pieces(bytes, 1000), expectedSize: bytes.length + 1 };
  await expect(storeArtifact(database.db, short)).rejects.toThrow(`after ${bytes.length} of ${bytes.length + 1}`);
  expect(await findArtifact(database.db, run.id)).toBeUndefined();
  expect(await database.db.selectFrom("artifact_chunk").selectAll().where("data", "=", bytes).execute()).toEqual([]);

  const stored = await storeArtifact(database.db, { ...metadata, runId: run.id, content: pieces(bytes, 1000) });
  await expect(
    storeArtifact(database.db, { ...metadata, runId: run.id, content: pieces(bytes, 1000) }),
  ).rejects.toThrow();
  expect(await findArtifact(database.db, run.id)).toEqual(stored);
});

test("what is written with an artifact stands and falls with it", async () => {
  const run = await createTestRun(database.db, await createCaller(database.db));
  const store = (failure: Error | undefined) =>
    storeArtifact(database.db, {
      ...metadata,
      runId: run.id,
      content: pieces(randomBytes(100), 100),
      withIt: async (trx, artifact) => {
        await appendEvent(trx, { runId: run.id, kind: "collected", message: artifact.sha256 });
        if (failure !== undefined) throw failure;
      },
    });
  const events = async () =>
    (await listEvents(database.db, { runId: run.id, after: 1, limit: 10 })).map((event) => event.message);
  await expect(store(new Error("the lease is lost"))).rejects.toThrow("the lease is lost");
  expect([await findArtifact(database.db, run.id), await events()]).toEqual([undefined, []]);
  const stored = await store(undefined);
  expect(await events()).toEqual([stored.sha256]);
});

test("a complete artifact takes the place of a partial one, never the other way round", async () => {
  const run = await createTestRun(database.db, await createCaller(database.db));
  const store = (kind: "complete" | "partial") =>
    storeArtifact(database.db, { ...metadata, kind, runId: run.id, content: pieces(randomBytes(100), 100) });
  await store("partial");
  const complete = await store("complete");
  await expect(store("partial")).rejects.toThrow();
  expect(await findArtifact(database.db, run.id)).toEqual(complete);
});
