import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { sendErrorPage } from "./error-page.ts";
import type { Endpoint } from "./routing-table.ts";
import { buildClientHeaders } from "./upstream-headers.ts";

export interface UpstreamRequest {
  endpoint: Endpoint;
  method: string;
  /** Path and query as they go into the request line. */
  target: string;
  headers: string[];
  body: Buffer | undefined;
  /** How long the upstream may stay silent. */
  readTimeoutMs: number;
}

/**
 * Asks the upstream over a connection of its own and streams its answer to the client. An upstream that cannot be
 * reached or breaks off is a 502, one that stays silent a 504; once the answer has begun, the client's connection is cut
 * instead, so that half an answer never looks whole. A client that goes away takes the upstream request with it.
 */
export function forward(upstream: UpstreamRequest, response: ServerResponse): void {
  const { endpoint, method, target: path, headers, readTimeoutMs: timeout } = upstream;
  const options = { host: endpoint.address, port: endpoint.port, method, path, headers, timeout, agent: false };
  const request = httpRequest(options);
  let failure = 502;
  request.on("timeout", () => {
    failure = 504;
    request.destroy(new Error("the upstream is silent"));
  });
  request.on("response", (answer) => streamAnswer(answer, response));
  request.on("error", () => {
    if (response.headersSent) response.destroy();
    else sendErrorPage(response, failure);
  });
  response.once("close", () => request.destroy());
  request.end(upstream.body);
}

function streamAnswer(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, buildClientHeaders(answer.rawHeaders));
  response.flushHeaders();
  pipeline(answer, response, () => undefined);
}
