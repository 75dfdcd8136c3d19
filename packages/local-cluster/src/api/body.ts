import type { IncomingMessage } from "node:http";
import { badRequest, StatusError } from "../status-error.ts";
import { decodeProtobuf } from "./protobuf.ts";

const PROTOBUF = "application/vnd.kubernetes.protobuf";
const LIMIT_BYTES = 3 * 1024 * 1024;

/** @throws {StatusError} 413 when it is longer than 3 MiB */
export async function readBody(request: IncomingMessage): Promise<string> {
  return (await readBytes(request)).toString("utf8");
}

/**
 * Reads an object as JSON text.
 *
 * @throws {StatusError} 413 when it is longer than 3 MiB, 415 when it is neither JSON nor of the kinds read as protobuf
 */
export async function readObject(request: IncomingMessage): Promise<string> {
  const mediaType = mediaTypeOf(request);
  const bytes = await readBytes(request);
  if (mediaType === "application/json") return bytes.toString("utf8");
  const object = mediaType === PROTOBUF ? decodeProtobuf(bytes) : undefined;
  if (object !== undefined) return JSON.stringify(object);
  const accepted = "the body of the request was in an unknown format - accepted media types include: application/json";
  throw new StatusError(415, "UnsupportedMediaType", accepted);
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LIMIT_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): StatusError {
  return new StatusError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${LIMIT_BYTES}`);
}

/** The media type of the body, without parameters. */
export function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers["content-type"] ?? "application/json").split(";")[0]?.trim() ?? "";
}

/** @throws {StatusError} 400 BadRequest when it is no JSON */
export function parseJson(text: string, kind: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = text === "" || /end of JSON/.test(String(error)) ? "unexpected end of JSON input" : String(error);
    const shown = text === "" ? "<empty>" : text.slice(0, 200);
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why} (${shown})`,
    );
  }
}
