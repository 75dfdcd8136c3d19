import { Agent, request } from "node:https";
import { rootCertificates } from "node:tls";

/** A client under test: a certificate of our CA, its key, and the CA that it trusts. */
export interface DeviceIdentity {
  /** Certificate and its issuers below the root, PEM. */
  chainPem: string;
  privateKeyPem: string;
  caPem: string;
}

interface Exchange {
  path: string;
  status: number;
  body: string;
}

/** Most pages that a walk visits. */
const MOST_PAGES = 40;
const TIMEOUT_MS = 15_000;
/** IEEE 2030.5-2018 §5.4: the media type of its XML. */
const MEDIA_TYPE = "application/sep+xml";

/** A device under test that has found its server. */
export interface Device extends Disposable {
  get(path: string): Promise<Exchange>;
  /** Begins at DeviceCapability and follows every href, breadth first. Returns each exchange. */
  walk(): Promise<Exchange[]>;
  /** Registers in-band: POSTs an EndDevice to the list. @throws {Error} when it is not taken */
  register(identity: { lfdi: string; sfdi: string }): Promise<void>;
}

/**
 * Speaks to a 2030.5 server over mutual TLS as a device does. Nothing is sent before the first call, each of which throws
 * when the server cannot be reached or refuses the handshake.
 */
export function openDevice({ chainPem, privateKeyPem, caPem }: DeviceIdentity, startUrl: string): Device {
  const agent = new Agent({ cert: chainPem, key: privateKeyPem, ca: [caPem, ...rootCertificates], keepAlive: true });
  const get = (path: string): Promise<Exchange> => exchange(agent, new URL(path, startUrl));
  const start = new URL(startUrl).pathname;

  async function walk(): Promise<Exchange[]> {
    const pages: Exchange[] = [];
    const seen = new Set([start]);
    const waiting = [start];
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      const page = await get(path);
      pages.push(page);
      const fresh = page.status === 200 ? listHrefs(page.body).filter((href) => !seen.has(href)) : [];
      for (const href of fresh.slice(0, MOST_PAGES - seen.size)) {
        seen.add(href);
        waiting.push(href);
      }
    }
    return pages;
  }

  async function register({ lfdi, sfdi }: { lfdi: string; sfdi: string }): Promise<void> {
    const list = /<EndDeviceListLink[^>]*\shref="([^"]+)"/.exec((await get(start)).body)?.[1];
    if (list === undefined) throw new Error("DeviceCapability has no EndDeviceListLink: the device cannot register.");
    const changedTime = Math.floor(Date.now() / 1000);
    const body = `<EndDevice xmlns="urn:ieee:std:2030.5:ns"><lFDI>${lfdi.toUpperCase()}</lFDI><sFDI>${sfdi}</sFDI><changedTime>${changedTime}</changedTime></EndDevice>`;
    const { status } = await exchange(agent, new URL(list, startUrl), body);
    if (status !== 201) throw new Error(`The server did not register the device: ${status}.`);
  }

  return { get, walk, register, [Symbol.dispose]: () => agent.destroy() };
}

/** Links in a 2030.5 body; only paths, as the standard has them. */
function listHrefs(body: string): string[] {
  return [...new Set([...body.matchAll(/\shref="(\/[^"]*)"/g)].map(([, href = ""]) => href))];
}

/** A GET, or a POST of a body. */
function exchange(agent: Agent, url: URL, body?: string): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      agent,
      method: body === undefined ? "GET" : "POST",
      headers: { accept: MEDIA_TYPE, ...(body !== undefined && { "content-type": MEDIA_TYPE }) },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    outgoing.on("error", reject);
    outgoing.on("response", async (response) => {
      try {
        const text = (await response.setEncoding("utf8").toArray()).join("");
        resolve({ path: url.pathname, status: response.statusCode ?? 0, body: text });
      } catch (error) {
        reject(error);
      }
    });
    outgoing.end(body);
  });
}
