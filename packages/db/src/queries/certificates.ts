import type { Insertable, Kysely } from "kysely";
import type { Database } from "../database.ts";
import type { ClientCertificate, ClientCertificateTable } from "../schema/client-certificate.ts";

/** Undefined, and nothing written, when there is one with the same idempotency key. */
export async function createCertificate(
  db: Kysely<Database>,
  certificate: Insertable<ClientCertificateTable>,
): Promise<ClientCertificate | undefined> {
  return db
    .insertInto("client_certificate")
    .values(certificate)
    .onConflict((conflict) => conflict.columns(["user_id", "idempotency_key"]).doNothing())
    .returningAll()
    .executeTakeFirst();
}

/** The certificate that an earlier request with the same key has made. */
export async function findCertificateByKey(
  db: Kysely<Database>,
  input: { ownerId: string; idempotencyKey: string },
): Promise<ClientCertificate | undefined> {
  return db
    .selectFrom("client_certificate")
    .selectAll()
    .where("user_id", "=", input.ownerId)
    .where("idempotency_key", "=", input.idempotencyKey)
    .executeTakeFirst();
}

/** The certificate, when it exists and belongs to the owner. */
export async function findCertificate(
  db: Kysely<Database>,
  input: { certificateId: string; ownerId: string },
): Promise<ClientCertificate | undefined> {
  return db
    .selectFrom("client_certificate")
    .selectAll()
    .where("id", "=", input.certificateId)
    .where("user_id", "=", input.ownerId)
    .executeTakeFirst();
}

export async function getCertificate(db: Kysely<Database>, certificateId: string): Promise<ClientCertificate> {
  return db.selectFrom("client_certificate").selectAll().where("id", "=", certificateId).executeTakeFirstOrThrow();
}
