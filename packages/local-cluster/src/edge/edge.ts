import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import type { ClusterApi } from "../cluster-api.ts";
import { type Logger, silentLogger } from "../logger.ts";
import { ClientCertificates } from "./client-certificate.ts";
import { rawErrorPage } from "./error-page.ts";
import { createFallbackCertificate } from "./fallback-certificate.ts";
import { IngressStatus } from "./ingress-status.ts";
import { RequestHandler } from "./request-handler.ts";
import { RoutingTable } from "./routing-table.ts";
import { TLS_SETTINGS, TlsContexts } from "./tls-contexts.ts";

export interface EdgeOptions {
  cluster: ClusterApi;
  /** Address to listen on, and to tell in the Ingresses' status. */
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Names of the IngressClasses that are served, beside Ingresses that name none. */
  ingressClasses?: readonly string[];
  /** How long a client may take for its handshake, for its headers and for a whole request. */
  clientTimeoutMs?: number;
  logger?: Logger;
}

export interface Edge extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/**
 * Starts the HTTPS server in front of the Pods. It serves the cluster's Ingresses as ingress-nginx with client
 * verification does; a change of an Ingress, a Secret or an endpoint holds from the next request on.
 *
 * Where it differs, it refuses more: a host whose CA Secret is missing or holds no certificate is closed (403); a path
 * with control characters, a rewrite that makes `..` segments, a line that does not end in CRLF is a 400; the client's
 * own X-Request-ID is replaced; a path without a rewrite goes on normalised. It speaks HTTP/1.1 only.
 *
 * @throws {Error} with code EADDRINUSE and the like when it cannot listen
 */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { cluster, host, logger = silentLogger } = options;
  const table = await RoutingTable.open(cluster, options.ingressClasses ?? ["nginx"], logger);
  const fallback = await createFallbackCertificate();
  const tls = new TlsContexts(
    (ref) => table.findSecret(ref),
    fallback,
    (...problem) => logger.warn(...problem),
  );
  const server = createServer({
    ...TLS_SETTINGS,
    ...fallback,
    ...httpLimits(options.clientTimeoutMs ?? 60_000),
    requestCert: true,
    // A client without a valid certificate gets an HTTP answer that says so.
    rejectUnauthorized: false,
    SNICallback: (name, use) => {
      const named = table.findHost(name) ?? findDefaultHost(table);
      use(null, named && tls.get(named).context);
    },
  });
  const handler = new RequestHandler({ table, tls, clients: new ClientCertificates(server), logger, port: () => port });
  const answers = new WeakMap<Duplex, ServerResponse>();
  const handle: RequestHandler["handle"] = (request, response) => {
    answers.set(request.socket, response);
    return handler.handle(request, response);
  };
  server.on("request", handle).on("checkContinue", handle);
  server.on("clientError", (error, socket) => refuseBrokenRequest(error, socket, answers.get(socket)));
  server.on("tlsClientError", () => undefined);
  const sockets = trackSockets(server);
  const port = await listen(server, host, options.port).catch((error: unknown) => {
    table[Symbol.dispose]();
    throw error;
  });
  const status = new IngressStatus(cluster, { ip: host, port }, logger);
  let clientsWithoutName: SecureContextOptions | undefined;
  table.onChange = () => {
    const first = findDefaultHost(table);
    const settings = first === undefined ? { ...TLS_SETTINGS, ...fallback } : tls.get(first).options;
    if (settings !== clientsWithoutName) server.setSecureContext(settings);
    clientsWithoutName = settings;
    status.publish(table.servedIngresses());
  };
  table.onChange();
  return {
    url: `https://${host}:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      table[Symbol.dispose]();
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The host whose certificate is shown to clients that name none, or one that is not known. */
function findDefaultHost(table: RoutingTable) {
  return [...table.hosts().values()].find(({ certificate }) => certificate !== undefined);
}

function httpLimits(ms: number) {
  return {
    handshakeTimeout: ms,
    headersTimeout: ms,
    requestTimeout: ms,
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: Math.ceil(ms / 4),
    maxHeaderSize: 32 * 1024,
    // Its absence is judged with the other rules about hosts.
    requireHostHeader: false,
  };
}

/** Sockets are closed by hand in the end: the server would wait for those that are still in their handshake. */
function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address();
  return address === null || typeof address === "string" ? port : address.port;
}

function refuseBrokenRequest(error: Error & { code?: string }, socket: Duplex, last: ServerResponse | undefined): void {
  // In the midst of an answer, more bytes would only be taken for a part of it.
  if (!socket.writable || (last?.headersSent && !last.writableFinished)) socket.destroy();
  else socket.end(rawErrorPage(error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400));
}
