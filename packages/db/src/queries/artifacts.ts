import { createHash } from "node:crypto";
import { type Kysely, sql, type Transaction } from "kysely";
import type { Database } from "../database.ts";
import type { Artifact } from "../schema/artifact.ts";

/** Bytes in every chunk but the last: small enough to hold a few in memory, large enough to be few. */
export const ARTIFACT_CHUNK_BYTES = 512 * 1024;

export interface NewArtifact {
  runId: string;
  kind: "complete" | "partial";
  fileName: string;
  contentType: string;
  content: AsyncIterable<Uint8Array>;
  /** Bytes that must arrive, when the sender has said so. */
  expectedSize?: number;
  /** What is written with it: both or neither. */
  withIt?: (trx: Transaction<Database>, artifact: Artifact) => Promise<void>;
}

/**
 * Stores an artifact while it streams in: whole or not at all, at a memory use that does not grow with its size.
 * A complete one takes the place of a partial one.
 *
 * @throws whatever `content` and `withIt` throw, and `Error` when it ends before or after `expectedSize`; nothing is stored then
 */
export async function storeArtifact(db: Kysely<Database>, input: NewArtifact): Promise<Artifact> {
  return db.transaction().execute(async (trx) => {
    // A slow sender takes its time for a chunk.
    await sql`select set_config('idle_in_transaction_session_timeout', '10min', true)`.execute(trx);
    if (input.kind === "complete") await deletePartial(trx, input.runId);
    const { id } = await trx
      .insertInto("artifact")
      .values({
        run_id: input.runId,
        kind: input.kind,
        file_name: input.fileName,
        content_type: input.contentType,
        size: 0,
        sha256: "",
      })
      .returning("id")
      .executeTakeFirstOrThrow();
    const hash = createHash("sha256");
    let size = 0;
    let number = 0;
    for await (const data of inChunks(input.content, ARTIFACT_CHUNK_BYTES)) {
      hash.update(data);
      size += data.length;
      await insertChunk(trx, { artifact_id: id, number, data });
      number += 1;
    }
    if (input.expectedSize !== undefined && size !== input.expectedSize) {
      throw new Error(`artifact ended after ${size} of ${input.expectedSize} bytes`);
    }
    const artifact = await trx
      .updateTable("artifact")
      .set({ size, sha256: hash.digest("hex") })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await input.withIt?.(trx, artifact);
    return artifact;
  });
}

async function deletePartial(trx: Transaction<Database>, runId: string): Promise<void> {
  await trx.deleteFrom("artifact").where("run_id", "=", runId).where("kind", "=", "partial").execute();
}

export async function findArtifact(db: Kysely<Database>, runId: string): Promise<Artifact | undefined> {
  return db.selectFrom("artifact").selectAll().where("run_id", "=", runId).executeTakeFirst();
}

/** Yields the bytes from `start` up to and including `end`, a chunk at a time. */
export async function* readArtifact(
  db: Kysely<Database>,
  input: { artifactId: string; start: number; end: number },
): AsyncGenerator<Buffer> {
  const last = Math.floor(input.end / ARTIFACT_CHUNK_BYTES);
  for (let number = Math.floor(input.start / ARTIFACT_CHUNK_BYTES); number <= last; number += 1) {
    const { data } = await db
      .selectFrom("artifact_chunk")
      .select("data")
      .where("artifact_id", "=", input.artifactId)
      .where("number", "=", number)
      .executeTakeFirstOrThrow();
    const offset = number * ARTIFACT_CHUNK_BYTES;
    yield data.subarray(Math.max(0, input.start - offset), input.end - offset + 1);
  }
}

/** A prepared statement: the text is parsed once, the bytes go in binary. */
async function insertChunk(
  trx: Transaction<Database>,
  chunk: { artifact_id: string; number: number; data: Buffer },
): Promise<void> {
  await sql`insert into artifact_chunk (artifact_id, number, data)
    values (${chunk.artifact_id}, ${chunk.number}, ${chunk.data})`.execute(trx);
}

/** Cuts a stream into pieces of exactly `size` bytes, the last one shorter. */
async function* inChunks(content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const piece of content) {
    held.push(piece);
    length += piece.length;
    if (length < size) continue;
    const joined = Buffer.concat(held);
    let offset = 0;
    for (; joined.length - offset >= size; offset += size) yield joined.subarray(offset, offset + size);
    held = offset < joined.length ? [joined.subarray(offset)] : [];
    length = joined.length - offset;
  }
  if (length > 0) yield Buffer.concat(held);
}

/** Removes the artifact of a run that its user has deleted, with its bytes; that of any other run stays. */
export async function deleteArtifactOfDeleted(db: Kysely<Database>, runId: string): Promise<void> {
  await db
    .deleteFrom("artifact")
    .where("run_id", "in", (query) =>
      query.selectFrom("run").select("id").where("id", "=", runId).where("deleted_at", "is not", null),
    )
    .execute();
}
