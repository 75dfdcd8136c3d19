import { buildDnsName } from "./alternative-names.ts";
import { type Authority, getSigner } from "./authority.ts";
import { basicConstraints, extendedKeyUsage, keyUsage, subjectAltName } from "./extensions.ts";
import type { SecretFiles } from "./installed-authorities.ts";
import { exportPrivateKeyPem, generateKeyPair } from "./keys.ts";
import { buildName } from "./names.ts";
import { OID } from "./object-identifiers.ts";
import { toPem } from "./pem.ts";
import { signCertificate } from "./sign-certificate.ts";
import { addYears, buildValidity, buildValidityWithin } from "./validity.ts";

/** Names in the certificates of those who may speak to an instance: nobody else gets a client's certificate of this CA. */
export const INTERNAL_CLIENTS = { edge: "edge.cactus-orchestrator", orchestrator: "orchestrator.cactus-orchestrator" };

/** A name that every instance's certificate has beside its own, for an edge that can verify but one name for all. */
export const ANY_TESTSTACK = "teststack.cactus-orchestrator";

const YEARS = 10;
const DAYS_A_LIFE = YEARS * 366;

/**
 * Makes the CA of the traffic inside the cluster: one root of ten years, its key beside it. It has nothing to do with the
 * CAs that devices know, so that neither side's certificates are any good on the other.
 */
export async function createInternalAuthorityFiles({ now }: { now: Date }): Promise<SecretFiles> {
  const { publicKey, privateKey } = await generateKeyPair(true);
  const subject = buildName({ O: "cactus-orchestrator", CN: "teststack-internal" });
  const self = { name: subject, signingKey: privateKey, keyIdentifier: undefined };
  const der = await signCertificate(self, {
    subject,
    publicKey,
    validity: buildValidity(now, addYears(now, YEARS)),
    extensions: [basicConstraints(0), keyUsage("keyCertSign", "cRLSign")],
  });
  return { "tls.crt": toPem("CERTIFICATE", der), "tls.key": await exportPrivateKeyPem(privateKey) };
}

export interface InternalCertificateRequest {
  /** A client is known by the first. */
  readonly dnsNames: readonly [string, ...string[]];
  readonly usage: "client" | "server";
  /** Cut to the authority's own validity, which it has when left out. */
  readonly validityDays?: number | undefined;
  readonly now: Date;
}

/** Files of a Secret with a certificate, its key, and what verifies the other side. */
export type InternalFiles = SecretFiles & Readonly<Record<"tls.crt" | "tls.key" | "ca.crt", string>>;

/**
 * Issues a certificate for one side of the traffic inside the cluster, with a new key. It serves either a client or a
 * server: an instance cannot pass for the edge.
 *
 * @throws {PkiError} invalid_input, or what getSigner throws
 */
export async function issueInternalFiles(
  authority: Authority,
  { dnsNames, usage, validityDays = DAYS_A_LIFE, now }: InternalCertificateRequest,
): Promise<InternalFiles> {
  const signer = getSigner(authority, now);
  const { publicKey, privateKey } = await generateKeyPair(true);
  // An instance's own name may be longer than a common name can be.
  const subject = usage === "client" ? buildName({ CN: dnsNames[0] }) : buildName({ CN: ANY_TESTSTACK });
  const der = await signCertificate(signer, {
    subject,
    publicKey,
    validity: buildValidityWithin(authority, validityDays, now),
    extensions: [
      keyUsage("digitalSignature"),
      extendedKeyUsage(usage === "client" ? OID.clientAuth : OID.serverAuth),
      subjectAltName(false, dnsNames.map(buildDnsName)),
    ],
  });
  return {
    "tls.crt": toPem("CERTIFICATE", der) + authority.issuersPem,
    "tls.key": await exportPrivateKeyPem(privateKey),
    "ca.crt": authority.rootPem,
  };
}
