import { randomUUID } from "node:crypto";
import { buildPkcs12, generatePassword, issueClientCertificate } from "@cactus/core/pki";
import { createCertificate, getUser } from "@cactus/db";
import type { TRPCRouterRecord } from "@trpc/server";
import { z } from "zod";
import { userProcedure } from "./trpc.ts";

const issueInput = z.object({
  kind: z.enum(["device", "aggregator"]),
  /** PKCS#10 certificate signing request, PEM. Left out: a key is made, returned once, and kept nowhere. */
  csr: z.string().max(16_384).optional(),
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
      const authority = await ctx.authority.get();
      const user = await getUser(ctx.db, ctx.caller.userId);
      const id = randomUUID();
      const name = `cactus-${id}`;
      const issued = await issueClientCertificate(authority, {
        kind: input.kind,
        pen: user.pen,
        hardwareSerial: name,
        commonName: name,
        now: ctx.now(),
        csrPem: input.csr,
      });
      const { derBytes, ...certificate } = issued;
      await createCertificate(ctx.db, {
        id,
        user_id: user.id,
        kind: input.kind,
        der: derBytes,
        lfdi: issued.lfdi,
        sfdi: issued.sfdi,
        serial_number: issued.serialNumber,
        not_before: new Date(issued.notBefore),
        not_after: new Date(issued.notAfter),
      });
      return { certificateId: id, ...certificate, ...(await bundle(issued, input.kind)) };
    }),

  /** What clients must trust. While the CA is being replaced, the roots of both: trust each. */
  authority: userProcedure.output(z.object({ certificatePem: z.string() })).query(async ({ ctx }) => {
    return { certificatePem: await ctx.authority.getRoots() };
  }),
} satisfies TRPCRouterRecord;

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
