import type { IncomingMessage, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import type { Logger } from "../logger.ts";
import type { ClientCertificates } from "./client-certificate.ts";
import { toRfc2253 } from "./distinguished-name.ts";
import { sendErrorPage } from "./error-page.ts";
import { forward } from "./forward.ts";
import { RefusedRequest } from "./refused-request.ts";
import { readBody } from "./request-body.ts";
import { escapePath, parseRequestTarget } from "./request-target.ts";
import type { Endpoint, RoutingTable } from "./routing-table.ts";
import type { TlsContexts } from "./tls-contexts.ts";
import { buildUpstreamHeaders } from "./upstream-headers.ts";
import { findRule, upstreamPath, type VirtualHost } from "./virtual-hosts.ts";

export interface RequestHandlerDeps {
  table: RoutingTable;
  tls: TlsContexts;
  clients: ClientCertificates;
  logger: Logger;
  /** The port that clients reach the edge by. */
  port: () => number;
}

/** nginx's word. */
const NO_CERTIFICATE = "NONE";

/** Answers each request as ingress-nginx would: judges the client, finds the route, reads the body, asks the upstream. */
export class RequestHandler {
  readonly #deps: RequestHandlerDeps;
  #turn = 0;

  constructor(deps: RequestHandlerDeps) {
    this.#deps = deps;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#handle(request, response);
    } catch (error) {
      if (error instanceof RefusedRequest) sendErrorPage(response, error.status, error.message || undefined);
      else if (request.errored === null) {
        this.#deps.logger.warn({ error, url: request.url }, "a request failed inside the edge");
        sendErrorPage(response, 500);
      }
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket, method = "GET", url = "" } = request;
    const target = parseRequestTarget(url);
    if (!(socket instanceof TLSSocket) || target === undefined) throw new RefusedRequest(400);
    if (method === "TRACE") throw new RefusedRequest(405);
    const authority = target.authority ?? getHostHeader(request);
    const host = this.#deps.table.findHost(withoutPort(authority));
    if (host === undefined) throw new RefusedRequest(404);
    const certificate = this.#judgeClient(socket, host);
    const rule = findRule(host, target.path);
    if (rule === undefined) throw new RefusedRequest(404);
    const path = upstreamPath(rule, target.path, certificate["ssl-client-verify"] ?? NO_CERTIFICATE);
    if (path === undefined) throw new RefusedRequest(400);
    const body = await readBody(request, response, rule.maxBodyBytes);
    const headers = buildUpstreamHeaders(request.rawHeaders, {
      host: authority,
      clientAddress: socket.remoteAddress ?? "",
      port: this.#deps.port(),
      bodyBytes: body?.length ?? (["POST", "PUT", "PATCH"].includes(method) ? 0 : undefined),
      certificate,
    });
    const endpoint = this.#nextEndpoint(this.#deps.table.endpoints(rule.backend));
    const query = target.query === "" ? "" : `?${target.query}`;
    const { readTimeoutMs } = rule;
    forward({ endpoint, method, target: escapePath(path) + query, headers, body, readTimeoutMs }, response);
  }

  /** The `ssl-client-…` headers that tell the upstream who the client is. */
  #judgeClient(socket: TLSSocket, host: VirtualHost): Record<string, string | undefined> {
    const { table, tls, clients } = this.#deps;
    const { clientPolicy } = host;
    if (clientPolicy === undefined) return {};
    const handshakeHost = table.findHost(socket.servername || "");
    if (handshakeHost !== undefined && handshakeHost !== host) throw new RefusedRequest(421);
    const { authorities } = tls.get(host);
    if (authorities.length === 0) throw new RefusedRequest(403);
    // Who named no host of ours in the handshake was asked for no certificate there.
    const verdict = clients.judge(handshakeHost && socket, clientPolicy, authorities);
    if (verdict.kind === "refused") throw new RefusedRequest(400, verdict.detail);
    if (verdict.kind === "none") return { "ssl-client-verify": NO_CERTIFICATE };
    const { certificate } = verdict;
    return {
      "ssl-client-verify": "SUCCESS",
      "ssl-client-cert": clientPolicy.passCertificate ? encodeURIComponent(certificate.toString()) : undefined,
      "ssl-client-subject-dn": certificate.subject && toRfc2253(certificate.subject),
      "ssl-client-issuer-dn": certificate.issuer && toRfc2253(certificate.issuer),
    };
  }

  #nextEndpoint(endpoints: Endpoint[]): Endpoint {
    this.#turn = (this.#turn + 1) % 1_000_000;
    const endpoint = endpoints[this.#turn % endpoints.length];
    if (endpoint === undefined) throw new RefusedRequest(503);
    return endpoint;
  }
}

/** @throws {RefusedRequest} 400 unless there is exactly one, of a form that a host can have */
function getHostHeader({ rawHeaders }: IncomingMessage): string {
  const isHost = (text: string, index: number): boolean => index % 2 === 0 && text.toLowerCase() === "host";
  const [value, ...more] = rawHeaders.flatMap((text, index) => (isHost(text, index) ? [rawHeaders[index + 1]] : []));
  if (value === undefined || more.length > 0) throw new RefusedRequest(400);
  return value;
}

/** @throws {RefusedRequest} 400 for what is no host */
function withoutPort(authority: string): string {
  const [, host] = /^([\w.-]+|\[[0-9a-f:.]+\])(?::\d*)?$/i.exec(authority) ?? [];
  if (host === undefined) throw new RefusedRequest(400);
  return host;
}
