import type { X509Certificate } from "node:crypto";
import { type CertificateReport, isKeyOf, judgeTimes, report } from "./inspect.ts";
import { loadPair, type SecretFiles } from "./installed-authorities.ts";
import { tryReadCertificates } from "./parse-certificate.ts";
import { PkiError } from "./pki-error.ts";
import { isIssuer } from "./trust-bundle.ts";

/** The files of each Secret of the traffic between Pods; undefined where there is no such Secret. */
export interface InternalPkiFiles {
  readonly internal: SecretFiles | undefined;
  readonly "edge-client": SecretFiles | undefined;
}

const ABSENT = "The Secret does not exist: cactus pki bootstrap --encryption makes it.";
const PURPOSES: Record<keyof InternalPkiFiles, string> = {
  internal: "signs what Pods show to each other",
  "edge-client": "what the edge shows to encrypted instances",
};

/** Judges the certificates of the traffic between Pods, as `inspectPki` does the others. Never throws. */
export function inspectInternalPki(files: InternalPkiFiles, now: Date): CertificateReport[] {
  const [authority, edge] = [files.internal, files["edge-client"]].map((secret) =>
    secret === undefined ? [] : (tryReadCertificates(secret["tls.crt"] ?? "") ?? []),
  );
  const problems: Record<keyof InternalPkiFiles, string[]> = {
    internal: files.internal === undefined ? [ABSENT] : judgeAuthority(files.internal, now),
    "edge-client": files["edge-client"] === undefined ? [ABSENT] : judgeEdge(files["edge-client"], authority?.[0], now),
  };
  return [
    report({ role: "internal", purpose: PURPOSES.internal }, authority ?? [], problems.internal),
    report({ role: "edge-client", purpose: PURPOSES["edge-client"] }, edge ?? [], problems["edge-client"]),
  ];
}

function judgeAuthority(files: SecretFiles, now: Date): string[] {
  try {
    loadPair(files, "tls", now);
    return [];
  } catch (error) {
    if (error instanceof PkiError) return [error.message];
    throw error;
  }
}

function judgeEdge(files: SecretFiles, authority: X509Certificate | undefined, now: Date): string[] {
  const [certificate] = tryReadCertificates(files["tls.crt"] ?? "") ?? [];
  if (certificate === undefined) return ["tls.crt holds no certificate that can be read."];
  const problems = judgeTimes([certificate], now);
  if (!isKeyOf(files["tls.key"] ?? "", certificate)) problems.push("tls.key is not the key of tls.crt.");
  if (authority !== undefined && !isEdgeOf(files, authority)) {
    problems.push("It is not the internal CA's: instances and the edge refuse each other.");
  }
  return problems;
}

/** Whether the internal CA has signed what the edge shows, and is what the edge verifies instances by. */
export function isEdgeOf(files: SecretFiles, authority: X509Certificate): boolean {
  const [certificate] = tryReadCertificates(files["tls.crt"] ?? "") ?? [];
  const trusted = tryReadCertificates(files["ca.crt"] ?? "") ?? [];
  const isTrusted = trusted.some((candidate) => candidate.raw.equals(authority.raw));
  return isTrusted && certificate !== undefined && isIssuer(authority, certificate);
}
