import { request } from "undici";
import { describe, expect, test } from "vitest";
import {
  BASE_NAME,
  CA_SECRET,
  type EdgeHost,
  type EdgeUnderTest,
  NOBODY,
  openHost,
  PROXY_PREFIX,
  SERVER_SECRET,
} from "./_host.ts";

/** Ways to break a host's protection, each with what its own devices get then. */
const DAMAGES: Record<string, [devices: "served" | "any", (host: EdgeHost) => Promise<unknown>]> = {
  "the base Ingress is deleted": [
    "served",
    ({ cluster, namespace }) => cluster.networking.deleteNamespacedIngress({ namespace, name: BASE_NAME }),
  ],
  "the CA Secret is deleted": [
    "any",
    ({ cluster, namespace }) => cluster.core.deleteNamespacedSecret({ namespace, name: CA_SECRET }),
  ],
  "the CA Secret has no ca.crt": ["any", (host) => host.setSecret(CA_SECRET, { other: "x" })],
  "the CA Secret has a key pair and no ca.crt": [
    "any",
    async (host) => host.setSecret(CA_SECRET, await readPair(host)),
  ],
  "ca.crt is empty": ["any", (host) => host.setSecret(CA_SECRET, { "ca.crt": "" })],
  "ca.crt is garbage": ["any", (host) => host.setSecret(CA_SECRET, { "ca.crt": "garbage" })],
  "the revocation list is garbage": [
    "any",
    async (host) => host.setSecret(CA_SECRET, { "ca.crt": host.authority.rootPem, "ca.crl": "garbage" }),
  ],
  "the server's Secret is deleted": [
    "any",
    ({ cluster, namespace }) => cluster.core.deleteNamespacedSecret({ namespace, name: SERVER_SECRET }),
  ],
};

async function readPair({ cluster, namespace }: EdgeHost): Promise<Record<string, string>> {
  const { data = {} } = await cluster.core.readNamespacedSecret({ namespace, name: SERVER_SECRET });
  return Object.fromEntries(Object.entries(data).map(([file, text]) => [file, Buffer.from(text, "base64").toString()]));
}

export function describeClosure(edge: () => EdgeUnderTest): void {
  describe("stays closed", () => {
    test.each(Object.entries(DAMAGES))("when %s", async (_, [devices, damage]) => {
      await using host = await openHost(edge());
      await host.addInstance("run-1");
      await host.untilServed("run-1");
      await damage(host);
      // What comes later is served by what the damage has made of the host.
      await host.addInstance("run-2");
      if (devices === "served") await host.untilServed("run-2");
      else await untilSeen(edge());
      for (const path of ["/run-1/dcap", "/run-2/dcap"]) {
        for (const headers of [[], ["ssl-client-cert: forged", "ssl-client-verify: SUCCESS"]]) {
          const { seen } = await host.get(path, headers, NOBODY);
          expect(seen?.target ?? "").not.toMatch(new RegExp(`^${PROXY_PREFIX}/`));
        }
        expect(await askPlainly(edge(), host, path)).not.toContain(`"${PROXY_PREFIX}/`);
      }
    });
  });
}

/** What is answered to HTTP without TLS. */
async function askPlainly({ address }: EdgeUnderTest, { host }: EdgeHost, path: string): Promise<string> {
  if (address.plainPort === undefined) return "nobody listens";
  const { body } = await request(`http://${address.host}:${address.plainPort}${path}`, { headers: { host } });
  return body.text();
}

/** Waits until the edge has read all that was written before: routes are served in the order in which they are made. */
async function untilSeen(edge: EdgeUnderTest): Promise<void> {
  await using later = await openHost(edge);
  await later.addInstance("later");
  await later.untilServed("later");
}
