import { Writable } from "node:stream";
import { createHierarchy, inspectPki, issueServerCertificate, loadAuthority } from "@cactus/core/pki";
import { pino } from "pino";
import { expect, test } from "vitest";
import { warnOfCertificates } from "./warn-of-certificates.ts";

const NOW = new Date("2026-11-23T10:00:00Z");
const FQDN = "cactus.example.com";

test("logs what expires within 30 days and what is wrong, and nothing else", async () => {
  const { sercaPem, mcaPem, micaPem, micaPrivateKeyPem } = await createHierarchy({ organisation: "CACTUS", now: NOW });
  const pair = { "tls.crt": micaPem + mcaPem + sercaPem, "tls.key": micaPrivateKeyPem };
  const authority = loadAuthority({ certificatePem: pair["tls.crt"], privateKeyPem: pair["tls.key"], now: NOW });
  const server = await issueServerCertificate(authority, { dnsNames: [FQDN], validityDays: 29.5, now: NOW });
  const files = {
    authority: pair,
    trust: {},
    server: { "tls.crt": server.certificatePem, "tls.key": server.privateKeyPem },
  };
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  await warnOfCertificates({
    pki: { untilSynced: async () => {} },
    certificateReports: () => inspectPki(files, { fqdn: FQDN, now: NOW }),
    logger: pino({ base: null }, stream),
    now: () => NOW,
  });
  expect(
    lines.map(({ level, certificate, msg, daysLeft, problem }) => [level, certificate, msg, daysLeft ?? problem]),
  ).toEqual([
    [40, "authority", "a certificate cannot be used as it is", expect.stringContaining("Its root is not in ca.crt")],
    [40, "trust", "a certificate cannot be used as it is", expect.stringContaining("ca.crt is missing")],
    [40, "server", "a certificate expires soon", 29],
  ]);
});
