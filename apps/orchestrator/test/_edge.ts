import { request } from "node:https";
import type { TestCluster } from "./_cluster.ts";

export interface EdgeRequest {
  path: string;
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string;
  /** PEM of what the client shows, and its key. */
  certificate?: { chainPem: string; privateKeyPem: string };
  /** Further TLS options, as a cipher. */
  tls?: object;
}

export interface EdgeAnswer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** A request to the edge whose path is sent as it is, whatever it is. */
export function askEdge(cluster: TestCluster, input: EdgeRequest): Promise<EdgeAnswer> {
  const { certificate } = input;
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: "127.0.0.1",
      servername: "localhost",
      port: cluster.variables["TEST_EXECUTION_PORT"],
      path: input.path,
      method: input.method ?? "GET",
      headers: { host: "localhost", ...input.headers },
      ca: cluster.caPem,
      agent: false,
      signal: AbortSignal.timeout(20_000),
      ...(certificate && { cert: certificate.chainPem, key: certificate.privateKeyPem }),
      ...input.tls,
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const { statusCode = 0, headers } = response;
      response
        .setEncoding("utf8")
        .toArray()
        .then((text) => resolve({ status: statusCode, headers, body: text.join("") }), reject);
    });
    outgoing.end(input.body);
  });
}
