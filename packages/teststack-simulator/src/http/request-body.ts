import type { IncomingMessage } from "node:http";
import { textAnswer } from "./answer.ts";

const limit = 1024 * 1024;

export const tooLargeAnswer = textAnswer(413, `Maximum request body size ${limit} exceeded.`);

/** Reads a body; gives undefined, without having read it all, for one of more than 1 MiB. */
export async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) return undefined;
  }
  return Buffer.concat(chunks).toString();
}
