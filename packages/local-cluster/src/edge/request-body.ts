import type { IncomingMessage, ServerResponse } from "node:http";
import { RefusedRequest } from "./refused-request.ts";

/**
 * Reads the whole body, so that it can be sent on with its length; undefined when the request has none.
 * A client that waits for leave to send it (`Expect: 100-continue`) gets it here.
 *
 * @throws {RefusedRequest} 413 above the limit (before anything is read, if the length is told), 501 for an unknown coding
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const { "content-length": length, "transfer-encoding": coding, expect } = request.headers;
  if (length === undefined && coding === undefined) return undefined;
  if (coding !== undefined && request.httpVersion === "1.0") throw new RefusedRequest(400);
  if (coding !== undefined && coding.toLowerCase() !== "chunked") throw new RefusedRequest(501);
  if (Number(length ?? 0) > maxBytes) throw new RefusedRequest(413);
  if (expect?.toLowerCase() === "100-continue") response.writeContinue();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const received: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of received) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new RefusedRequest(413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
