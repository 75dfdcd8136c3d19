import type { ServerResponse } from "node:http";
import type { Logger } from "../logger.ts";
import { StatusError } from "../status-error.ts";

export function sendJson(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-cache, private",
  });
  response.end(text);
}

export function sendText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Answers with a Status. What is no `StatusError` is a mistake of ours: a 500, with the error in the log. */
export function sendError(response: ServerResponse, error: unknown, logger: Logger): void {
  const status = error instanceof StatusError ? error : internalError();
  if (status !== error) logger.warn({ error }, "a request failed");
  if (response.headersSent) response.destroy();
  else sendJson(response, status.code, JSON.stringify(status.toStatus()));
}

function internalError(): StatusError {
  return new StatusError(500, "InternalError", "Internal error occurred: see the log of the local cluster");
}

/** Headers by which kubectl shows a user what was wrong but let pass. */
export function addWarnings(response: ServerResponse, warnings: readonly string[]): void {
  const headers = warnings.map((text) => `299 - ${JSON.stringify(text)}`);
  if (headers.length > 0) response.setHeader("warning", headers);
}
