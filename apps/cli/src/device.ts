import { Agent, request } from "node:https";
import { rootCertificates } from "node:tls";

/** A client under test: a certificate of our CA, its key, and the CA that it trusts. */
export interface DeviceIdentity {
  /** Certificate and its issuers below the root, PEM. */
  chainPem: string;
  privateKeyPem: string;
  caPem: string;
}

export interface Exchange {
  path: string;
  status: number;
  contentType: string;
  body: string;
}

/** Most pages that a walk visits. */
const MOST_PAGES = 40;
const TIMEOUT_MS = 15_000;

/**
 * Walks a 2030.5 server over mutual TLS as a device does: begins at DeviceCapability and follows every href,
 * breadth first. Yields each exchange.
 *
 * @throws {Error} when the server cannot be reached, or refuses the handshake
 */
export async function* walk(identity: DeviceIdentity, startUrl: string): AsyncGenerator<Exchange> {
  using agent = openAgent(identity);
  const start = new URL(startUrl);
  const seen = new Set([start.pathname]);
  const waiting = [start.pathname];
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const exchange = await get(agent.agent, new URL(path, start));
    yield exchange;
    if (exchange.status !== 200) continue;
    for (const href of listHrefs(exchange.body)) {
      if (seen.size >= MOST_PAGES || seen.has(href)) continue;
      seen.add(href);
      waiting.push(href);
    }
  }
}

/** The first page only. */
export async function getOnce(identity: DeviceIdentity, url: string): Promise<Exchange> {
  using agent = openAgent(identity);
  return await get(agent.agent, new URL(url));
}

function openAgent({ chainPem, privateKeyPem, caPem }: DeviceIdentity): Disposable & { agent: Agent } {
  const agent = new Agent({ cert: chainPem, key: privateKeyPem, ca: [caPem, ...rootCertificates], keepAlive: true });
  return { agent, [Symbol.dispose]: () => agent.destroy() };
}

/** Links in a 2030.5 body; only paths, as the standard has them. */
function listHrefs(body: string): string[] {
  return [...body.matchAll(/\shref="(\/[^"]*)"/g)].map(([, href = ""]) => href);
}

function get(agent: Agent, url: URL): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const headers = { accept: "application/sep+xml" };
    const outgoing = request(url, { agent, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    outgoing.on("error", reject);
    outgoing.on("response", async (response) => {
      try {
        const body = (await response.setEncoding("utf8").toArray()).join("");
        const contentType = response.headers["content-type"] ?? "";
        resolve({ path: url.pathname, status: response.statusCode ?? 0, contentType, body });
      } catch (error) {
        reject(error);
      }
    });
    outgoing.end();
  });
}
