import { randomUUID } from "node:crypto";
import { OrchestratorError } from "@cactus/core";
import { buildPkcs12, generatePassword, isForRequestedKey, issueClientCertificate, splitPem } from "@cactus/core/pki";
import { type ClientCertificate, createCertificate, findCertificateByKey, getUser } from "@cactus/db";
import type { TRPCRouterRecord } from "@trpc/server";
import { z } from "zod";
import { type UserContext, userProcedure } from "./trpc.ts";

const issueInput = z.object({
  kind: z.enum(["device", "aggregator"]),
  /** PKCS#10 certificate signing request, PEM. Left out: a key is made, returned once, and kept nowhere. */
  csr: z.string().max(16_384).optional(),
  /** The same key and `csr` again give the same certificate and make no other. */
  idempotencyKey: z.string().min(1).max(128).optional(),
});

const issueOutput = z.object({
  certificateId: z.uuid(),
  /** IEEE 2030.5-2018 §6.3.4: 40 lower-case hex digits. */
  lfdi: z.string(),
  /** IEEE 2030.5-2018 §6.3.3: decimal with check digit. */
  sfdi: z.string(),
  serialNumber: z.string(),
  notBefore: z.iso.datetime(),
  notAfter: z.iso.datetime(),
  certificatePem: z.string(),
  /** What a client sends in the TLS handshake: the certificate and its issuers below the root. */
  chainPem: z.string(),
  privateKeyPem: z.string().nullable(),
  pkcs12Base64: z.string().nullable(),
  pkcs12Password: z.string().nullable(),
});

export const certificatesRoutes = {
  issue: userProcedure
    .input(issueInput)
    .output(issueOutput)
    .mutation(async ({ ctx, input }) => {
      const { kind, csr, idempotencyKey } = input;
      const earlier = await findEarlier(ctx, idempotencyKey);
      if (earlier !== undefined) return repeat(earlier, input);
      const authority = await ctx.authority.get();
      const user = await getUser(ctx.db, ctx.caller.userId);
      const id = randomUUID();
      const name = `cactus-${id}`;
      const issued = await issueClientCertificate(authority, {
        kind,
        pen: user.pen,
        hardwareSerial: name,
        commonName: name,
        now: ctx.now(),
        csrPem: csr,
      });
      const created = await createCertificate(ctx.db, {
        id,
        user_id: user.id,
        kind,
        der: issued.derBytes,
        lfdi: issued.lfdi,
        sfdi: issued.sfdi,
        serial_number: issued.serialNumber,
        not_before: new Date(issued.notBefore),
        not_after: new Date(issued.notAfter),
        ...(idempotencyKey !== undefined && { idempotency_key: idempotencyKey, chain_pem: issued.chainPem }),
      });
      if (created === undefined) {
        const meanwhile = await findEarlier(ctx, idempotencyKey);
        if (meanwhile === undefined) throw new Error("a certificate that stands in the way is there");
        return repeat(meanwhile, input);
      }
      const { derBytes: _, ...certificate } = issued;
      return { certificateId: id, ...certificate, ...(await bundle(issued, kind)) };
    }),

  /** What clients must trust. While the CA is being replaced, the roots of both: trust each. */
  authority: userProcedure.output(z.object({ certificatePem: z.string() })).query(async ({ ctx }) => {
    return { certificatePem: await ctx.authority.getRoots() };
  }),
} satisfies TRPCRouterRecord;

async function findEarlier(ctx: UserContext, key: string | undefined): Promise<ClientCertificate | undefined> {
  return key === undefined
    ? undefined
    : await findCertificateByKey(ctx.db, { ownerId: ctx.caller.userId, idempotencyKey: key });
}

/** The answer of before. A private key that was made here was in that answer alone. */
async function repeat(
  certificate: ClientCertificate,
  { kind, csr }: z.output<typeof issueInput>,
): Promise<z.output<typeof issueOutput>> {
  if (csr === undefined) {
    const message = "The idempotencyKey stands for a certificate that was issued, whose private key is kept nowhere";
    throw new OrchestratorError("conflict", `${message}: take a new one, or send a csr for a key of your own.`);
  }
  if (certificate.kind !== kind || !(await isForRequestedKey(certificate.der, csr))) {
    const message = "The idempotencyKey stands for a certificate of another kind or key: take a new one.";
    throw new OrchestratorError("conflict", message);
  }
  const chainPem = certificate.chain_pem ?? "";
  return {
    certificateId: certificate.id,
    lfdi: certificate.lfdi,
    sfdi: certificate.sfdi,
    serialNumber: certificate.serial_number,
    notBefore: certificate.not_before.toISOString(),
    notAfter: certificate.not_after.toISOString(),
    certificatePem: splitPem(chainPem)[0]?.pem ?? "",
    chainPem,
    privateKeyPem: null,
    pkcs12Base64: null,
    pkcs12Password: null,
  };
}

/** PKCS#12 with a password of its own, when the key was made here. */
async function bundle(
  issued: { certificatePem: string; chainPem: string; privateKeyPem: string | null; lfdi: string },
  kind: string,
): Promise<{ pkcs12Base64: string | null; pkcs12Password: string | null }> {
  const { certificatePem, chainPem, privateKeyPem } = issued;
  if (privateKeyPem === null) return { pkcs12Base64: null, pkcs12Password: null };
  const password = generatePassword();
  const friendlyName = `cactus ${kind} ${issued.lfdi.slice(0, 8)}`;
  const pkcs12 = await buildPkcs12({ certificatePem, chainPem, privateKeyPem, friendlyName, password });
  return { pkcs12Base64: Buffer.from(pkcs12).toString("base64"), pkcs12Password: password };
}
