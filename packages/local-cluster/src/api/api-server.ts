import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { NodeApi } from "../cluster-api.ts";
import type { Logger } from "../logger.ts";
import type { Registry } from "../registry/registry.ts";
import { StatusError } from "../status-error.ts";
import { sendError, sendJson, sendText } from "./answer.ts";
import { checkPermission, findImpersonated } from "./authorisation.ts";
import { type Call, methodNotAllowed, parseCall } from "./call.ts";
import type { Credentials } from "./credentials.ts";
import { answerDiscovery } from "./discovery.ts";
import { findOpenApi } from "./openapi.ts";
import { handleLog } from "./pod-logs.ts";
import { handleProxy } from "./proxy.ts";
import { getObject, listOrWatch } from "./reads.ts";
import { handleScale } from "./scale.ts";
import { createObject, deleteCollection, deleteObject, patchObject, replaceObject } from "./writes.ts";

const VERSION = { major: "1", minor: "36", gitVersion: "v1.36.0+local-cluster", platform: "linux/amd64" };
const HEALTH_PATHS = ["/healthz", "/livez", "/readyz"];

export interface ApiServerOptions {
  registry: Registry;
  host: string;
  /** 0 takes a free one. */
  port: number;
  credentials: Credentials;
  /** The node's own API, once there is a node. */
  findNode: () => NodeApi | undefined;
  logger: Logger;
}

export interface ApiServer extends AsyncDisposable {
  readonly url: string;
}

/**
 * Starts the HTTPS server that speaks the Kubernetes API. All but its version and its health needs the bearer token, with
 * which one may do everything, or, by `kubectl --as`, what the Roles of another let that one do.
 *
 * @throws {Error} with code EADDRINUSE and the like when it cannot listen
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { host, port, credentials } = options;
  const server = createServer({ cert: credentials.cert, key: credentials.key, ALPNProtocols: ["http/1.1"] });
  // A watch or a log may be silent for as long as it likes; what takes its time is the client.
  server.requestTimeout = 0;
  server.on("request", (request, response) => {
    answer(request, response, options).catch((error: unknown) => sendError(response, error, options.logger));
  });
  server.listen(port, host);
  await once(server, "listening");
  return { url: `https://${host}:${portOf(server)}`, [Symbol.asyncDispose]: () => close(server) };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: ApiServerOptions): Promise<void> {
  const url = new URL(request.url ?? "/", "https://cluster");
  if (answerPublic(response, url.pathname)) return;
  if (!isAuthorised(request, options.credentials.token)) throw new StatusError(401, "Unauthorized", "Unauthorized");
  if (answerDiscovery(request, response, url.pathname)) return;
  const document = findOpenApi(url.pathname);
  if (document !== undefined) return sendJson(response, 200, JSON.stringify(document));
  if (!/^\/(api|apis)\//.test(url.pathname)) return sendText(response, 404, "404 page not found\n");
  const call = parseCall(request, response, url);
  const user = findImpersonated(request);
  if (user !== undefined) checkPermission(user, call, options.registry.store);
  await handle(call, options);
}

function answerPublic(response: ServerResponse, path: string): boolean {
  if (path === "/version") sendJson(response, 200, JSON.stringify(VERSION));
  else if (HEALTH_PATHS.includes(path)) sendText(response, 200, "ok");
  else return false;
  return true;
}

function isAuthorised({ headers }: IncomingMessage, token: string): boolean {
  const wanted = Buffer.from(`Bearer ${token}`);
  const given = Buffer.from(headers.authorization ?? "");
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

type Handler = (call: Call, registry: Registry) => void | Promise<void>;

const OBJECT_HANDLERS: Record<string, Handler> = {
  GET: getObject,
  PUT: replaceObject,
  PATCH: patchObject,
  DELETE: deleteObject,
};
const COLLECTION_HANDLERS: Record<string, Handler> = {
  GET: listOrWatch,
  POST: createObject,
  DELETE: deleteCollection,
};
const PART_HANDLERS: Record<string, Handler> = { GET: getObject, PUT: replaceObject, PATCH: patchObject };

async function handle(call: Call, { registry, findNode }: ApiServerOptions): Promise<void> {
  const { request, resource, namespace, name, subresource } = call;
  if (subresource === "log") return handleLog(call, registry, findNode());
  if (subresource === "proxy") return handleProxy(call, registry);
  if (subresource === "scale") return handleScale(call, registry);
  const handlers = subresource !== "" ? PART_HANDLERS : name === "" ? COLLECTION_HANDLERS : OBJECT_HANDLERS;
  const handler = handlers[request.method ?? ""];
  const acrossNamespaces = resource.namespaced && namespace === "" && request.method !== "GET";
  const isUnserved = handler === deleteCollection && resource.deletesCollections === false;
  if (handler === undefined || acrossNamespaces || isUnserved) throw methodNotAllowed();
  await handler(call, registry);
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}
