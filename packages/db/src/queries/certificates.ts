import type { Insertable, Kysely } from "kysely";
import type { Database } from "../database.ts";
import type { ClientCertificate, ClientCertificateTable } from "../schema/client-certificate.ts";

export async function createCertificate(
  db: Kysely<Database>,
  certificate: Insertable<ClientCertificateTable>,
): Promise<ClientCertificate> {
  return db.insertInto("client_certificate").values(certificate).returningAll().executeTakeFirstOrThrow();
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
