import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import { pipeline } from "node:stream";
import type { Registry } from "../registry/registry.ts";
import { serviceUnavailable } from "../status-error.ts";
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
  if (call.rest === "") {
    response.writeHead(301, { location: `${pathname}/${search}` }).end();
    return Promise.resolve();
  }
  const find = resource.plural === "services" ? findServiceTarget : findPodTarget;
  const target = find(registry, { namespace, id });
  return forward(target, `${call.rest}${search}`, request, response);
}

function forward(
  { scheme, host, port }: ProxyTarget,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const headers = passedOn(request.rawHeaders);
  headers.push("x-forwarded-for", request.socket.remoteAddress ?? "", "x-forwarded-proto", "https");
  if (request.headers["transfer-encoding"] !== undefined) headers.push("transfer-encoding", "chunked");
  const options = { host, port, path, method: request.method ?? "GET", headers, agent: false } as const;
  const upstream: ClientRequest =
    scheme === "https" ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
  response.once("close", () => upstream.destroy());
  return new Promise((resolve, reject) => {
    upstream.once("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, passedOn(answer.rawHeaders));
      response.flushHeaders();
      pipeline(answer, response, () => resolve());
    });
    upstream.once("error", (error) => {
      if (response.headersSent) response.destroy();
      reject(serviceUnavailable(`error trying to reach service: ${error.message}`));
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
