import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import {
  createInternalAuthorityFiles,
  type InternalPkiFiles,
  inspectInternalPki,
  issueInternalFiles,
  loadAuthority,
} from "../src/pki/index.ts";

const NOW = new Date("2026-11-23T10:00:00Z");
const YEAR_11 = new Date("2037-11-23T10:00:00Z");
const DAY_MS = 86_400_000;

async function create() {
  const files = await createInternalAuthorityFiles({ now: NOW });
  const [certificatePem = "", privateKeyPem = ""] = [files["tls.crt"], files["tls.key"]];
  const authority = loadAuthority({ certificatePem, privateKeyPem, now: NOW });
  const edge = await issueInternalFiles(authority, { dnsNames: ["edge"], usage: "client", now: NOW });
  return { files, authority, edge };
}

const { files, authority, edge } = await create();
const other = await create();

test("an instance's certificate serves a server for its time, the edge's a client for as long as the CA", async () => {
  const dnsNames = ["ts-abc.test-execution.svc", "any"] as const;
  const instance = await issueInternalFiles(authority, { dnsNames, usage: "server", validityDays: 1.5, now: NOW });
  const [server, client, ca] = [instance, edge, files].map((from) => new X509Certificate(from["tls.crt"] ?? ""));
  expect(server?.subjectAltName).toBe("DNS:ts-abc.test-execution.svc, DNS:any");
  expect(server?.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(server?.validToDate).toEqual(new Date(NOW.getTime() + 1.5 * DAY_MS));
  expect(client?.subject).toBe("CN=edge");
  expect(client?.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
  expect(client?.validToDate).toEqual(ca?.validToDate);
  for (const certificate of [server, client]) expect(certificate?.verify(authorityKey())).toBe(true);
  expect(instance["ca.crt"]).toBe(files["tls.crt"]);
});

test.each<[string, Partial<InternalPkiFiles>, Date, string[]]>([
  ["what fits together", {}, NOW, []],
  [
    "nothing",
    { internal: undefined, "edge-client": undefined },
    NOW,
    [
      "internal: The Secret does not exist: cactus pki bootstrap --encryption makes it.",
      "edge-client: The Secret does not exist: cactus pki bootstrap --encryption makes it.",
    ],
  ],
  [
    "another CA's",
    { "edge-client": other.edge },
    NOW,
    ["edge-client: It is not the internal CA's: instances and the edge refuse each other."],
  ],
  [
    "another trust",
    { "edge-client": { ...edge, "ca.crt": other.edge["ca.crt"] } },
    NOW,
    ["edge-client: It is not the internal CA's: instances and the edge refuse each other."],
  ],
  [
    "another key",
    { "edge-client": { ...edge, "tls.key": other.edge["tls.key"] } },
    NOW,
    ["edge-client: tls.key is not the key of tls.crt."],
  ],
  [
    "garbage",
    { "edge-client": { "tls.crt": "x" } },
    NOW,
    ["edge-client: tls.crt holds no certificate that can be read."],
  ],
  [
    "after its time",
    {},
    YEAR_11,
    [
      "internal: tls.crt: certificate 1 (O=cactus-orchestrator, CN=teststack-internal) expired at 2036-11-23T10:00:00.000Z: install a new one.",
      "edge-client: CN=edge expired at 2036-11-23T10:00:00.000Z.",
    ],
  ],
])("%s", (_, changed, now, problems) => {
  const reports = inspectInternalPki({ internal: files, "edge-client": edge, ...changed }, now);
  expect(reports.flatMap((report) => report.problems.map((problem) => `${report.role}: ${problem}`))).toEqual(problems);
});

function authorityKey() {
  return new X509Certificate(files["tls.crt"] ?? "").publicKey;
}
