import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Cluster, connectCluster } from "@cactus/core/kubernetes";
import { type Dispatcher, request } from "undici";
import { stringify } from "yaml";

type Answer = Dispatcher.ResponseData;

/** One call to the API server, and what can be done with it. */
export interface Exchange {
  /** As `POST statefulsets`, `watch pods`, or `runner GET /status` where it passes the Service proxy. */
  name: string;
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  /** Has the API server do it. `anyway`: also when the caller leaves. */
  forward(options?: { anyway: boolean }): Promise<Answer>;
  /** Passes an answer on, each piece when `shape` lets it go. */
  pass(answer: Answer, shape?: (piece: Buffer) => AsyncIterable<Buffer>): Promise<void>;
}

export interface KubernetesProxy extends AsyncDisposable {
  port: number;
}

/** Stands between an orchestrator and the API server, in plain HTTP. */
export async function startKubernetesProxy(
  kubeconfig: string,
  handle: (exchange: Exchange) => Promise<void>,
): Promise<KubernetesProxy> {
  const cluster = connectCluster({ kubeconfig });
  const server = createServer(async (incoming, outgoing) => {
    try {
      const body = Buffer.concat(await incoming.toArray());
      await handle(toExchange(cluster, { incoming, outgoing, body }));
    } catch {
      outgoing.destroy();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** Writes a kubeconfig that leads to such a proxy. */
export async function writeKubeconfig(
  file: string,
  { port, user = {} }: { port: number; user?: object },
): Promise<void> {
  const name = "proxy";
  const text = stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  });
  await writeFile(file, text);
}

interface Call {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  body: Buffer;
}

function toExchange(cluster: Cluster, { incoming, outgoing, body }: Call): Exchange {
  return {
    name: nameCall(incoming),
    incoming,
    outgoing,
    async forward({ anyway } = { anyway: false }) {
      const { dispatcher, headers } = await cluster.authorise();
      const { authorization: _, host: __, connection: ___, ...own } = incoming.headers;
      const gone = new AbortController();
      outgoing.on("close", () => gone.abort());
      return request(`${cluster.server}${incoming.url}`, {
        method: (incoming.method ?? "GET") as Dispatcher.HttpMethod,
        headers: { ...own, ...headers },
        ...(body.length > 0 && { body }),
        ...(dispatcher && { dispatcher }),
        ...(!anyway && { signal: gone.signal }),
        headersTimeout: 0,
        bodyTimeout: 0,
      });
    },
    async pass(answer, shape) {
      const { "transfer-encoding": _, connection: __, ...answered } = answer.headers;
      outgoing.writeHead(answer.statusCode, answered).flushHeaders();
      for await (const chunk of answer.body) {
        for await (const piece of shape?.(chunk) ?? [chunk]) outgoing.write(piece);
      }
      outgoing.end();
    },
  };
}

function nameCall({ method = "GET", url = "" }: IncomingMessage): string {
  const { pathname, searchParams } = new URL(url, "http://x");
  const runner = /\/services\/[^/]+\/proxy(\/.*)$/.exec(pathname)?.[1];
  if (runner !== undefined) return `runner ${method} ${runner.replace(/\d+/g, "N")}`;
  const kind = /\/namespaces\/[^/]+\/(\w+)/.exec(pathname)?.[1] ?? pathname;
  if (searchParams.has("dryRun")) return `try ${kind}`;
  return `${searchParams.has("watch") ? "watch" : method} ${kind}`;
}
