import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import { pipeline } from "node:stream";
import type { Registry } from "../registry/registry.ts";
import { badRequest, serviceUnavailable } from "../status-error.ts";
import type { Call } from "./call.ts";
import { findPodTarget, findServiceTarget, type ProxyTarget } from "./proxy-target.ts";

/** Headers that are about one connection, or for this server's eyes only. */
const NOT_PASSED_ON = [
  "authorization",
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Serves `services/proxy` and `pods/proxy`: the request goes on to the endpoint, and its answer comes back, as streams. */
export function handleProxy(call: Call, registry: Registry): Promise<void> {
  const { request, response, resource, namespace, name: id } = call;
  const { search, pathname } = new URL(request.url ?? "/", "https://cluster");
  const path = normalised(call.rest);
  const find = resource.plural === "services" ? findServiceTarget : findPodTarget;
  const target = find(registry, { namespace, id });
  if (call.rest === "" && (request.method === "GET" || request.method === "HEAD")) {
    response.writeHead(301, { location: `${pathname}/${search}` }).end();
    return Promise.resolve();
  }
  const prefix = pathname.slice(0, pathname.length - call.rest.length);
  return forward({ target, path: path + search, prefix }, request, response);
}

interface Forwarded {
  target: ProxyTarget;
  /** What the endpoint is asked for, with the query. */
  path: string;
  /** Path under which the endpoint's paths are found at this server. */
  prefix: string;
}

function forward(
  { target: { scheme, host, port }, path, prefix }: Forwarded,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const headers = passedOn(request.rawHeaders);
  const uri = `${prefix}${path.split("?")[0]}`;
  headers.push("x-forwarded-for", request.socket.remoteAddress ?? "", "x-forwarded-uri", uri);
  if (request.headers["transfer-encoding"] !== undefined) headers.push("transfer-encoding", "chunked");
  const options = { host, port, path, method: request.method ?? "GET", headers, agent: false } as const;
  const upstream: ClientRequest =
    scheme === "https" ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
  response.once("close", () => upstream.destroy());
  return new Promise((resolve, reject) => {
    upstream.once("response", (answer) => {
      response.writeHead(
        answer.statusCode ?? 502,
        answer.statusMessage,
        relocated(passedOn(answer.rawHeaders), prefix),
      );
      response.flushHeaders();
      pipeline(answer, response, () => resolve());
    });
    upstream.once("error", (error) => {
      if (response.headersSent) response.destroy();
      reject(serviceUnavailable(`error trying to reach service: ${describe(error, `${host}:${port}`)}`));
    });
    pipeline(request, upstream, () => undefined);
  });
}

/** Raw headers (name, value, name, value, …) without those that end here. */
function passedOn(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => {
    const name = rawHeaders[index - (index % 2)]?.toLowerCase() ?? "";
    return !NOT_PASSED_ON.includes(name);
  });
}

/** Makes a `Location` on the endpoint one on this server. */
function relocated(rawHeaders: readonly string[], prefix: string): string[] {
  return rawHeaders.map((value, index) => {
    const isLocation = index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "location";
    const isElsewhere = !value.startsWith("/") || value.startsWith("//") || value.startsWith(`${prefix}/`);
    return isLocation && !isElsewhere ? prefix + value : value;
  });
}

/** Why an endpoint was not reached, in the real server's words where it has them. */
function describe(error: Error & { code?: string }, address: string): string {
  if (error.code === "ECONNREFUSED") return `dial tcp ${address}: connect: connection refused`;
  return error.code === "ECONNRESET" ? "EOF" : error.message;
}

/** As the real server sends a path on: what was encoded without need is so no more, `%2F` among it. */
function normalised(path: string): string {
  try {
    const encoded = encodeURIComponent(decodeURIComponent(path || "/"));
    return encoded.replaceAll(/%(?:24|26|2B|2C|2F|3A|3B|3D|40)/g, decodeURIComponent);
  } catch {
    throw badRequest(`invalid URL escape in "${path}"`);
  }
}
