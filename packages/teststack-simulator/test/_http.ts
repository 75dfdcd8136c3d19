import { type ClientRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import type { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";

export interface Reply {
  status: number;
  reason: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
}

export interface Given {
  headers?: OutgoingHttpHeaders;
  body?: string;
  /** Sends the body in pieces, without a Content-Length. */
  chunked?: boolean;
}

/** Sends a request with its target exactly as written (`GET //dcap`), over a connection of its own, and reads the answer. */
export async function send(url: string, line: string, given: Given = {}): Promise<Reply> {
  const response = await open(url, line, given).answer;
  const body = await buffer(response);
  const { statusCode = 0, statusMessage = "", headers } = response;
  return { status: statusCode, reason: statusMessage, headers, body, text: body.toString() };
}

/** Sends a request and leaves the answer to the caller, unread. */
export function open(
  url: string,
  line: string,
  { headers = {}, body = "", chunked = false }: Given = {},
): {
  request: ClientRequest;
  answer: Promise<Readable & { headers: IncomingHttpHeaders; statusCode?: number; statusMessage?: string }>;
} {
  const { hostname, port } = new URL(url);
  const [method, path = "/"] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
  const length = chunked ? { "Transfer-Encoding": "chunked" } : { "Content-Length": Buffer.byteLength(body) };
  const sized = body === "" && method === "GET" ? {} : length;
  const sent = request({ hostname, port, method, path, agent: false, headers: { ...headers, ...sized } });
  const answer = new Promise<Awaited<ReturnType<typeof open>["answer"]>>((resolve, reject) => {
    sent.once("response", resolve).once("error", reject);
  });
  sent.end(body);
  return { request: sent, answer };
}

export async function sendJson(url: string, line: string, value?: unknown): Promise<Reply> {
  return send(url, line, value === undefined ? {} : { body: JSON.stringify(value) });
}

/**
 * Sends several requests in one piece over one connection, so that the server has them in this order and at once, and
 * gives all that it answers until the connection ends.
 */
export async function sendPipeline(url: string, lines: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const requests = lines.map((line, at) => {
    const closing = at === lines.length - 1 ? "Connection: close\r\n" : "";
    return `${line} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 0\r\n${closing}\r\n`;
  });
  socket.write(requests.join(""));
  return text(socket.setEncoding("latin1"));
}
