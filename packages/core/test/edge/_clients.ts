import type { ConnectionOptions } from "node:tls";
import { issueClientCertificate, splitPem } from "../../src/pki/index.ts";
import { createTestPki } from "../_pki.ts";
import { type EdgeHost, NOBODY } from "./_host.ts";

const DAY_MS = 86_400_000;

type Issue = (options?: {
  daysAgo?: number;
  kind?: "device" | "aggregator";
}) => Promise<{ chain: string[]; key: string }>;

/** Clients that an edge has to tell apart: who they are, whether they get in, and how they shake hands. */
export const CLIENTS: Record<string, [isLetIn: boolean, (issue: Issue, host: EdgeHost) => Promise<ConnectionOptions>]> =
  {
    // Empty subject, critical name of a hardware module, three tiers.
    "a device": [true, async (issue) => showing(await issue())],
    "an aggregator": [true, async (issue) => showing(await issue({ kind: "aggregator" }))],
    "a device with the suite of IEEE 2030.5 and nothing else": [
      true,
      async (issue) => ({
        ...showing(await issue()),
        maxVersion: "TLSv1.2",
        ciphers: "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0",
      }),
    ],
    "a device in TLS 1.2": [true, async (issue) => ({ ...showing(await issue()), maxVersion: "TLSv1.2" })],
    "a device that names no server": [false, async (issue) => ({ ...showing(await issue()), servername: "" })],
    nobody: [false, async () => NOBODY],
    "nobody in TLS 1.2": [false, async () => ({ ...NOBODY, maxVersion: "TLSv1.2" })],
    "nobody with the suite of IEEE 2030.5": [
      false,
      async () => ({ ...NOBODY, maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0" }),
    ],
    "a device of another installation": [
      false,
      async () => {
        const { authority } = await createTestPki(new Date());
        const request = { kind: "device", pen: 1, hardwareSerial: "2", now: new Date() } as const;
        const { chainPem, privateKeyPem } = await issueClientCertificate(authority, request);
        return { cert: chainPem, key: privateKeyPem ?? "" };
      },
    ],
    "a device whose certificate has expired": [false, async (issue) => showing(await issue({ daysAgo: 2 }))],
    "a device whose certificate is of tomorrow": [false, async (issue) => showing(await issue({ daysAgo: -1 }))],
    "a device without its intermediates": [
      false,
      async (issue) => {
        const { chain, key } = await issue();
        return { cert: chain[0], key };
      },
    ],
    "a device without one of its intermediates": [
      false,
      async (issue) => {
        const { chain, key } = await issue();
        return { cert: chain.slice(0, 2).join(""), key };
      },
    ],
    "the signing CA": [
      false,
      async (_, { authority, authorityKeyPem }) => ({ cert: authority.issuersPem, key: authorityKeyPem }),
    ],
  };

function showing({ chain, key }: { chain: string[]; key: string }): ConnectionOptions {
  return { cert: chain.join(""), key };
}

/** Issues certificates of the host's own, valid for a day. */
export function issueFor({ authority }: EdgeHost): Issue {
  return async ({ daysAgo = 0, kind = "device" } = {}) => {
    const now = new Date(Date.now() - daysAgo * DAY_MS);
    const common = { pen: 1, hardwareSerial: "2", validityDays: 1, now };
    const { chainPem, privateKeyPem } = await issueClientCertificate(
      authority,
      kind === "device" ? { kind, ...common } : { kind, ...common, commonName: "an aggregator" },
    );
    return { chain: splitPem(chainPem).map(({ pem }) => pem), key: privateKeyPem ?? "" };
  };
}
