import { createHash, randomUUID } from "node:crypto";
import { createCertificate, createRun, type Database, ensureUser, type Kysely, type RunRecord } from "@cactus/db";
import { ISSUER } from "./_orchestrator.ts";

/** A run of the user with this subject, as rows only. */
export async function insertRun(db: Kysely<Database>, subject: string): Promise<RunRecord> {
  const user = await ensureUser(db, { issuer: ISSUER, subject });
  const certificateId = await insertCertificate(db, subject);
  return createRun(db, {
    userId: user.id,
    certificateId,
    procedureId: "ALL-01",
    procedureYaml: "x",
    csipAusVersion: "v1.2",
    immediateStart: true,
    teststackName: `ts-${randomUUID().slice(0, 10)}`,
    workload: "statefulset",
    encryption: "none",
    idempotencyKey: undefined,
    requestId: undefined,
    limits: { live: 1_000, livePerUser: 1_000, queued: 0, queuedPerUser: 0 },
  });
}

export async function insertCertificate(
  db: Kysely<Database>,
  subject: string,
  notAfter = "2099-01-01T00:00:00Z",
): Promise<string> {
  const user = await ensureUser(db, { issuer: ISSUER, subject });
  const der = Buffer.from(randomUUID());
  const certificate = await createCertificate(db, {
    user_id: user.id,
    kind: "device",
    der,
    lfdi: createHash("sha256").update(der).digest("hex").slice(0, 40),
    sfdi: "0",
    serial_number: "01",
    not_before: new Date("2026-01-01T00:00:00Z"),
    not_after: new Date(notAfter),
  });
  if (certificate === undefined) throw new Error("no key, no conflict");
  return certificate.id;
}
