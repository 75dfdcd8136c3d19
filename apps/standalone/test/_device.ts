import { request } from "node:https";

export interface DeviceFiles {
  chainPem: string;
  privateKeyPem: string;
  caPem: string;
}

/** A GET over mutual TLS. Returns the HTTP status. */
export function askAsDevice({ chainPem, privateKeyPem, caPem }: DeviceFiles, url: URL): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = {
      cert: chainPem,
      key: privateKeyPem,
      ca: caPem,
      agent: false,
      signal: AbortSignal.timeout(15_000),
    };
    const outgoing = request(url, options, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
