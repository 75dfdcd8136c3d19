import type { Readable } from "node:stream";
import { Agent, type Dispatcher, request } from "undici";
import type { Cluster } from "../kubernetes/index.ts";
import { RunnerError } from "./runner-error.ts";

interface TransportRequest {
  method: "GET" | "POST";
  path: string;
  body?: string;
  /** Limit until the answer begins. */
  headerTimeoutMs: number;
}

export interface TransportResponse {
  status: number;
  headers: Record<string, string | undefined>;
  body: Readable;
}

/** Carries a request to one runner. @throws {RunnerError} `silent` when no answer comes */
export type RunnerTransport = (request: TransportRequest) => Promise<TransportResponse>;

/** Where a runner is: its Service. */
export interface RunnerAddress {
  namespace: string;
  serviceName: string;
  port: number;
}

/** How runners are reached: by the cluster's network, or by the API server's Service proxy from outside of it. */
export type RunnerAccess = (address: RunnerAddress) => RunnerTransport;

/** Limit between two pieces of an answer. */
const BODY_TIMEOUT_MS = 30_000;

/** For a process inside the cluster: `http://<service>.<namespace>.svc:<port>`. */
export function viaService(): RunnerAccess & AsyncDisposable {
  // The runner closes every connection after its answer; a kept one would only be found dead.
  const dispatcher = new Agent({ pipelining: 0, connect: { timeout: 2_000 } });
  const access: RunnerAccess = ({ namespace, serviceName, port }) =>
    transportTo(`http://${serviceName}.${namespace}.svc:${port}`, async () => ({ dispatcher, headers: {} }));
  return Object.assign(access, { [Symbol.asyncDispose]: () => dispatcher.destroy() });
}

/** Both sides of a mutual TLS connection, as PEM. */
export interface RunnerCredentials {
  ca: string;
  cert: string;
  key: string;
}

/**
 * For encrypted instances, from inside the cluster: as {@link viaService}, by mutual TLS. The instance is verified by the
 * name of its Service.
 *
 * @param getCredentials the same object until there are new ones; a rejection counts as a silent runner
 */
export function viaEncryptedService(getCredentials: () => Promise<RunnerCredentials>): RunnerAccess & AsyncDisposable {
  let current: { credentials: RunnerCredentials; dispatcher: Agent } | undefined;

  async function findDispatcher(): Promise<Agent> {
    const credentials = await getCredentials();
    if (current?.credentials !== credentials) {
      // Ends when what is under way has ended.
      void current?.dispatcher.close();
      const connect = { timeout: 2_000, ...credentials };
      current = { credentials, dispatcher: new Agent({ pipelining: 0, connect }) };
    }
    return current.dispatcher;
  }

  const access: RunnerAccess = ({ namespace, serviceName, port }) =>
    transportTo(`https://${serviceName}.${namespace}.svc:${port}`, async () => ({
      dispatcher: await findDispatcher(),
      headers: {},
    }));
  return Object.assign(access, { [Symbol.asyncDispose]: async () => current?.dispatcher.destroy() });
}

/** For a process outside the cluster that has a kubeconfig: the API server passes the requests on. */
export function viaServiceProxy(cluster: Cluster): RunnerAccess {
  return ({ namespace, serviceName, port }) =>
    transportTo(`${cluster.server}/api/v1/namespaces/${namespace}/services/http:${serviceName}:${port}/proxy`, () =>
      cluster.authorise(),
    );
}

interface Authorisation {
  dispatcher: Dispatcher | undefined;
  headers: Record<string, string>;
}

/** Carries requests to whatever answers below a base URL. */
export function transportTo(base: string, authorise: () => Promise<Authorisation>): RunnerTransport {
  return async ({ method, path, body, headerTimeoutMs }) => {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${headerTimeoutMs} ms`)), headerTimeoutMs);
    try {
      const { dispatcher, headers } = await authorise();
      const answer = await request(base + path, {
        method,
        headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
        ...(body !== undefined && { body }),
        ...(dispatcher && { dispatcher }),
        headersTimeout: 0,
        bodyTimeout: BODY_TIMEOUT_MS,
        signal: late.signal,
      });
      return { status: answer.statusCode, headers: oneOfEach(answer.headers), body: answer.body };
    } catch (cause) {
      throw new RunnerError("silent", "The runner does not answer.", { cause });
    } finally {
      clearTimeout(timer);
    }
  };
}

function oneOfEach(headers: Record<string, string | string[] | undefined>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
}
