import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fetchArtifact, type Run } from "@cactus/client";
import type { Connection } from "./connection.ts";
import type { Progress } from "./progress.ts";

/** Saves the zip of a run that has one, under `out` or its own name, and tells of it. */
export async function saveArtifact(
  { connection, progress }: { connection: Connection; progress: Progress },
  run: Run,
  out: string | undefined,
): Promise<void> {
  if (run.artifact === null) return progress.note("artifact      none");
  const file = out ?? run.artifact.fileName;
  progress.doing(`downloading ${file}`);
  await download(connection, { runId: run.runId, file, sha256: run.artifact.sha256 });
  progress.done(`artifact      ${file} (${run.artifact.kind}, ${run.artifact.size} bytes, SHA-256 checked)`);
}

/**
 * Saves a run's zip and checks its hash. The file appears under its name only when it is whole.
 *
 * @throws {Error} when it cannot be had or is not what was stored
 */
async function download(connection: Connection, input: { runId: string; file: string; sha256: string }): Promise<void> {
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
