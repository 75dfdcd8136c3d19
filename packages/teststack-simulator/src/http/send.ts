import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Faults } from "../faults.ts";
import type { Archive } from "../runner/archive.ts";
import type { Answer } from "./answer.ts";
import { toPythonJson } from "./python-text.ts";
import { toSnakeCase } from "./snake-case.ts";

/** Node's phrase for 413 is another than the runner's. */
const phrases: Readonly<Record<number, string>> = { 413: "Request Entity Too Large" };

export function sendAnswer(response: ServerResponse, answer: Answer, responseCase: Faults["responseCase"]): void {
  const json = responseCase === "snake" ? toSnakeCase(answer.json) : answer.json;
  const body = answer.json === undefined ? answer.body : toPythonJson(json);
  response.statusCode = answer.status;
  response.statusMessage = phrases[answer.status] ?? "";
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  if (body !== undefined) response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(body);
}

/** Streams the zip at the reader's pace. With a limit, the connection is reset after so many bytes of it. */
export async function sendArchive(response: ServerResponse, archive: Archive, cutBytes: number): Promise<void> {
  const { size, stream } = await archive.open();
  const createdAt = archive.createdAt.toISOString().replace(/\.\d+Z$/, "+00:00");
  response.writeHead(200, {
    "Content-Type": "application/zip",
    "Content-Disposition": `attachment; filename="CactusTestProcedureArtifacts_${createdAt}_${archive.procedureName}.zip"`,
    Etag: `"${(BigInt(archive.createdAt.getTime()) * 1_000_000n).toString(16)}-${size.toString(16)}"`,
    "Last-Modified": archive.createdAt.toUTCString(),
    "Content-Length": size,
    "Accept-Ranges": "bytes",
  });
  if (cutBytes === 0) return pipeline(stream, response);
  let left = cutBytes;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const isTaken = response.write(chunk.subarray(0, left));
    left -= chunk.length;
    if (left <= 0) break;
    if (!isTaken) await once(response, "drain");
  }
  response.socket?.resetAndDestroy();
}
