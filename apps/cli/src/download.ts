import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fetchArtifact } from "@cactus/client";
import type { Connection } from "./connection.ts";

/**
 * Saves a run's zip and checks its hash. The file appears under its name only when it is whole.
 *
 * @throws {Error} when it cannot be had or is not what was stored
 */
export async function download(
  connection: Connection,
  input: { runId: string; file: string; sha256: string },
): Promise<void> {
  const response = await fetchArtifact(connection, { runId: input.runId });
  if (response.body === null) throw new Error("The orchestrator sent no artifact.");
  const part = `${input.file}.part`;
  const hash = createHash("sha256");
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(Readable.fromWeb(response.body as never), hashing, createWriteStream(part));
    const sha256 = hash.digest("hex");
    if (sha256 !== input.sha256) throw new Error(`The download is damaged: SHA-256 ${sha256}, not ${input.sha256}.`);
    await rename(part, input.file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
