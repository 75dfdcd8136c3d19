import type { X509Certificate } from "node:crypto";
import {
  getServerSigner,
  type InstalledAuthorities,
  listSigningCertificates,
  loadInstalledAuthorities,
  type SecretFiles,
} from "./installed-authorities.ts";
import { tryReadCertificates } from "./parse-certificate.ts";
import { issueServerCertificate } from "./server-certificate.ts";
import { isIssuer } from "./trust-bundle.ts";

/**
 * Whether two thirds of a server certificate's life have passed (time enough is left for an operator, should its renewal
 * fail) and another would last longer, which it does not beyond the life of the CA.
 *
 * @throws {PkiError} when it is time and the signing CA cannot be used
 */
export function isRenewalDue(certificate: X509Certificate, authority: SecretFiles, now: Date): boolean {
  const [start, end] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  if (now.getTime() < start + ((end - start) * 2) / 3) return false;
  return getServerSigner(loadInstalledAuthorities(authority, now), now).notAfter.getTime() > end;
}

/** The server's certificate, whoever has signed it; undefined when there is none that can be read. */
export function findServerCertificate(server: SecretFiles): X509Certificate | undefined {
  return tryReadCertificates(server["tls.crt"] ?? "")?.[0];
}

/** The server's certificate, when one of the installation's own CAs has signed it; undefined for any other, or none. */
export function findOwnServerCertificate(server: SecretFiles, authority: SecretFiles): X509Certificate | undefined {
  const certificate = findServerCertificate(server);
  const isOwn = listSigningCertificates(authority).some((ca) => certificate !== undefined && isIssuer(ca, certificate));
  return isOwn ? certificate : undefined;
}

export interface ServerFilesRequest {
  /** Names that it has to cover. */
  readonly hosts: readonly string[];
  readonly ipAddresses?: readonly string[] | undefined;
  /** Its names and addresses are taken over. */
  readonly replaced?: X509Certificate | undefined;
  readonly now: Date;
}

/**
 * Issues the files of a server's Secret, with a new key.
 *
 * @throws {PkiError} what {@link issueServerCertificate} throws
 */
export async function issueServerFiles(
  authorities: InstalledAuthorities,
  { hosts, ipAddresses = [], replaced, now }: ServerFilesRequest,
): Promise<SecretFiles> {
  const known = readNames(replaced);
  const names = {
    dnsNames: [...new Set([...hosts, ...known.dnsNames])],
    ipAddresses: [...new Set([...ipAddresses, ...known.ipAddresses])],
  };
  const { certificatePem, privateKeyPem } = await issueServerCertificate(getServerSigner(authorities, now), {
    ...names,
    now,
  });
  return { "tls.crt": certificatePem, "tls.key": privateKeyPem };
}

function readNames(certificate: X509Certificate | undefined): { dnsNames: string[]; ipAddresses: string[] } {
  const entries = (certificate?.subjectAltName ?? "").split(", ");
  const having = (prefix: string): string[] =>
    entries.flatMap((entry) => (entry.startsWith(prefix) ? [entry.slice(prefix.length)] : []));
  return { dnsNames: having("DNS:"), ipAddresses: having("IP Address:") };
}
