import { createHash, randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import type { Database } from "../src/database.ts";
import { createCertificate } from "../src/queries/certificates.ts";
import { createRun, type NewRun, type RunRecord } from "../src/queries/runs.ts";
import { ensureUser } from "../src/queries/users.ts";

/** A user with a certificate, by the queries that production uses. */
export async function createCaller(db: Kysely<Database>): Promise<{ userId: string; certificateId: string }> {
  const user = await ensureUser(db, { issuer: "https://issuer.test", subject: randomUUID() });
  const der = Buffer.from(randomUUID());
  const certificate = await createCertificate(db, {
    user_id: user.id,
    kind: "device",
    der,
    lfdi: createHash("sha256").update(der).digest("hex").slice(0, 40),
    sfdi: "0",
    serial_number: "01",
    not_before: new Date("2026-01-01T00:00:00Z"),
    not_after: new Date("2027-01-01T00:00:00Z"),
  });
  if (certificate === undefined) throw new Error("no key, no conflict");
  return { userId: user.id, certificateId: certificate.id };
}

export async function createTestRun(
  db: Kysely<Database>,
  caller: { userId: string; certificateId: string },
  overrides: Partial<NewRun> = {},
): Promise<RunRecord & { teststack_id: string }> {
  const run = await createRun(db, {
    ...caller,
    procedureId: "ALL-01",
    procedureYaml: "Description: x",
    csipAusVersion: "v1.2",
    immediateStart: true,
    teststackName: `ts-${randomUUID().slice(0, 10)}`,
    workload: "statefulset",
    encryption: "none",
    idempotencyKey: undefined,
    requestId: undefined,
    limits: { live: 1_000, livePerUser: 1_000, queued: 0, queuedPerUser: 0 },
    ...overrides,
  });
  if (run.teststack_id === null) throw new Error("a new run has a teststack");
  return { ...run, teststack_id: run.teststack_id };
}
