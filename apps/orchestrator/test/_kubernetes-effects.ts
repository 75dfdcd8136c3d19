import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Cluster, connectCluster } from "@cactus/core/kubernetes";
import { type Dispatcher, request } from "undici";
import { stringify } from "yaml";
import type { Effects } from "./_effects.ts";

/**
 * Stands between an orchestrator and the API server: each write to Kubernetes, and each call to a runner (they pass the
 * Service proxy), is an effect. Writes a kubeconfig that leads here.
 */
export async function startKubernetesEffects(
  kubeconfig: string,
  file: string,
  effects: Effects,
): Promise<AsyncDisposable> {
  const cluster = connectCluster({ kubeconfig });
  const server = createServer((incoming, outgoing) => {
    const passed = passOn(cluster, effects, { incoming, outgoing });
    passed.catch(() => outgoing.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const name = "effects";
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await writeFile(
    file,
    stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server: address, "insecure-skip-tls-verify": true } }],
      users: [{ name, user: {} }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      "current-context": name,
    }),
  );
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

async function passOn(
  cluster: Cluster,
  effects: Effects,
  { incoming, outgoing }: { incoming: IncomingMessage; outgoing: ServerResponse },
): Promise<void> {
  const body = Buffer.concat(await incoming.toArray());
  const effect = nameEffect(incoming);
  const fate = effect === undefined ? "pass" : effects.judge(effect);
  if (fate === "die-before") return effects.die();
  const { dispatcher, headers } = await cluster.authorise();
  const { authorization: _, host: __, connection: ___, ...own } = incoming.headers;
  const gone = new AbortController();
  outgoing.on("close", () => gone.abort());
  const answer = await request(`${cluster.server}${incoming.url}`, {
    method: (incoming.method ?? "GET") as Dispatcher.HttpMethod,
    headers: { ...own, ...headers },
    ...(body.length > 0 && { body }),
    ...(dispatcher && { dispatcher }),
    ...(fate === "pass" && { signal: gone.signal }),
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  if (fate === "die-after") {
    await answer.body.arrayBuffer();
    return effects.die();
  }
  const { "transfer-encoding": ____, connection: _____, ...answered } = answer.headers;
  outgoing.writeHead(answer.statusCode, answered).flushHeaders();
  for await (const chunk of answer.body) outgoing.write(chunk);
  outgoing.end();
}

function nameEffect({ method = "GET", url = "" }: IncomingMessage): string | undefined {
  const { pathname, searchParams } = new URL(url, "http://x");
  const runner = /\/services\/[^/]+\/proxy(\/.*)$/.exec(pathname)?.[1];
  if (runner !== undefined) return `runner ${method} ${runner.replace(/\d+/g, "N")}`;
  if (method === "GET" || searchParams.has("dryRun")) return undefined;
  const kind = /\/namespaces\/[^/]+\/(\w+)/.exec(pathname)?.[1] ?? pathname;
  return `kubernetes ${method} ${kind}`;
}
