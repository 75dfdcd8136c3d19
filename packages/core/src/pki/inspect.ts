import { createPrivateKey, type X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { hasOverlap, loadPair, type SecretFiles } from "./installed-authorities.ts";
import { describeName, tryReadCertificates } from "./parse-certificate.ts";
import { PkiError } from "./pki-error.ts";
import { leadsTo } from "./trust-bundle.ts";

/** The files of each Secret; undefined where there is no such Secret. */
export interface PkiFiles {
  readonly authority: SecretFiles | undefined;
  readonly trust: SecretFiles | undefined;
  readonly server: SecretFiles | undefined;
  readonly api?: SecretFiles | undefined;
}

type PublicRole = "authority" | "previous" | "trust" | "server" | "api";
export type CertificateRole = PublicRole | "internal" | "edge-client";

export interface CertificateReport {
  readonly role: CertificateRole;
  /** What it is for. */
  readonly purpose: string;
  readonly certificates: readonly X509Certificate[];
  /** When the first of the certificates expires; undefined when there is none. */
  readonly notAfter: Date | undefined;
  /** What an operator has to mend, a sentence each. */
  readonly problems: readonly string[];
}

const PURPOSES: Record<PublicRole, string> = {
  authority: "signs certificates of clients and of the server",
  previous: "is being replaced: trusted, and signs the server's certificate, until the rotation is finished",
  trust: "what the edge lets clients in by",
  server: "what the edge shows to clients",
  api: "what the API shows to its callers",
};

export interface InspectOptions {
  readonly fqdn: string;
  /** Names of the API; left out where it is not served over TLS. */
  readonly apiHosts?: readonly string[] | undefined;
  readonly now: Date;
}

/** Judges the certificates of an installation, each by itself and how they fit together. Never throws: what is wrong is the result. */
export function inspectPki(pki: PkiFiles, options: InspectOptions): CertificateReport[] {
  const context: Context = { pki, ...options };
  const roles: PublicRole[] = ["authority", "trust", "server"];
  if (pki.authority !== undefined && hasOverlap(pki.authority)) roles.splice(1, 0, "previous");
  if (options.apiHosts !== undefined) roles.push("api");
  return roles.map((role) => {
    const files = pki[role === "previous" ? "authority" : role];
    const subject = { role, purpose: PURPOSES[role] };
    if (files === undefined) return report(subject, [], ["The Secret does not exist."]);
    const certificates = tryReadCertificates(files[FILES[role]] ?? "");
    return report(subject, certificates ?? [], JUDGES[role]({ ...context, files, certificates: certificates ?? [] }));
  });
}

/** Whole days until then; negative when it has passed. */
export function countDaysLeft(notAfter: Date, now: Date): number {
  return Math.floor((notAfter.getTime() - now.getTime()) / 86_400_000);
}

interface Context extends InspectOptions {
  readonly pki: PkiFiles;
}

type Judge = (subject: Context & { files: SecretFiles; certificates: X509Certificate[] }) => string[];

const FILES: Record<PublicRole, string> = {
  authority: "tls.crt",
  previous: "previous.crt",
  trust: "ca.crt",
  server: "tls.crt",
  api: "tls.crt",
};

const JUDGES: Record<PublicRole, Judge> = {
  authority: (subject) => judgeAuthority(subject, "tls"),
  previous: (subject) => judgeAuthority(subject, "previous"),
  trust: judgeTrust,
  server: judgeServer,
  // Whom the API's callers trust is theirs to say: its certificate may be of any CA.
  api: (subject) => judgeShown(subject, subject.apiHosts ?? []),
};

function judgeAuthority({ pki, files, certificates, now }: Parameters<Judge>[0], pair: "tls" | "previous"): string[] {
  try {
    loadPair(files, pair, now);
  } catch (error) {
    if (error instanceof PkiError) return [error.message.replaceAll("tls.", `${pair}.`)];
    throw error;
  }
  if (leadsTo(certificates, tryReadCertificates(pki.trust?.["ca.crt"] ?? "") ?? [])) return [];
  return ["Its root is not in ca.crt of the edge: the edge refuses the clients that it signs."];
}

function judgeTrust({ files, certificates, now }: Parameters<Judge>[0]): string[] {
  if (files["ca.crt"] === undefined)
    return ["ca.crt is missing: no client can be verified, and ingress-nginx then asks for no certificate."];
  if (certificates.length === 0) return ["ca.crt holds no certificate that can be read: the edge lets nobody in."];
  const others = certificates.filter(({ ca }) => !ca).map((certificate) => `${nameOf(certificate)} is not a CA.`);
  return [...judgeTimes(certificates, now), ...others];
}

function judgeShown({ files, certificates, now }: Parameters<Judge>[0], hosts: readonly string[]): string[] {
  const [certificate] = certificates;
  if (certificate === undefined) return ["tls.crt holds no certificate that can be read."];
  const problems = judgeTimes(certificates, now);
  if (!isKeyOf(files["tls.key"] ?? "", certificate)) problems.push("tls.key is not the key of tls.crt.");
  const uncovered = hosts.filter((host) => certificate.checkHost(host) === undefined);
  return [...problems, ...uncovered.map((host) => `It does not cover ${host}.`)];
}

function judgeServer(subject: Parameters<Judge>[0]): string[] {
  const { pki, certificates, fqdn } = subject;
  const problems = judgeShown(subject, [fqdn]);
  if (certificates.length === 0) return problems;
  const { authority = {} } = pki;
  // What clients are given to trust is the last of each chain.
  const own = ["tls.crt", "previous.crt"].flatMap(
    (file) => tryReadCertificates(authority[file] ?? "")?.slice(-1) ?? [],
  );
  if (!leadsTo(certificates, own) && !leadsTo(certificates, readPublicRoots())) {
    problems.push("Its chain leads neither to our CA nor to a public one: clients cannot verify it.");
  }
  return problems;
}

export function judgeTimes(certificates: readonly X509Certificate[], now: Date): string[] {
  return certificates.flatMap((certificate) => {
    const { validFromDate, validToDate } = certificate;
    if (now < validFromDate) return [`${nameOf(certificate)} is valid only from ${validFromDate.toISOString()}.`];
    return now >= validToDate ? [`${nameOf(certificate)} expired at ${validToDate.toISOString()}.`] : [];
  });
}

export function isKeyOf(keyPem: string, certificate: X509Certificate): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}

export function report(
  subject: Pick<CertificateReport, "role" | "purpose">,
  certificates: readonly X509Certificate[],
  problems: readonly string[],
): CertificateReport {
  const ends = certificates.map(({ validToDate }) => validToDate.getTime());
  const notAfter = ends.length === 0 ? undefined : new Date(Math.min(...ends));
  return { ...subject, certificates, notAfter, problems };
}

function nameOf({ subject }: X509Certificate): string {
  return describeName(subject) || "The certificate without a subject";
}

let publicRoots: X509Certificate[] | undefined;

function readPublicRoots(): X509Certificate[] {
  publicRoots ??= rootCertificates.flatMap((pem) => tryReadCertificates(pem) ?? []);
  return publicRoots;
}
