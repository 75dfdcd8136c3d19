import type { X509Certificate } from "node:crypto";
import { type CertificateReport, countDaysLeft, type InternalPkiFiles, type PkiFiles } from "@cactus/core/pki";

const SOON_DAYS = 30;

/** Each Secret with its certificates, a paragraph each. */
export function describeReports(
  reports: CertificateReport[],
  places: Record<keyof PkiFiles | keyof InternalPkiFiles, { namespace: string; name: string } | undefined>,
  now: Date,
): string {
  return reports
    .map(({ role, purpose, certificates, problems }) => {
      const place = places[role === "previous" ? "authority" : role];
      return [
        `\n${role.padEnd(11)} ${place?.namespace}/${place?.name}: ${purpose}`,
        ...certificates.map((certificate) => `  ${describeCertificate(certificate, now)}`),
        ...(role === "previous" ? ["  to finish the rotation: cactus pki rotate-ca --finish"] : []),
        ...problems.map((problem) => `  problem: ${problem}`),
      ].join("\n");
    })
    .join("\n");
}

function describeCertificate({ subject, validFromDate, validToDate }: X509Certificate, now: Date): string {
  const [from, to] = [validFromDate, validToDate].map((date) => date.toISOString().slice(0, 10));
  const days = countDaysLeft(validToDate, now);
  const soon = days < SOON_DAYS && days >= 0 ? ", soon" : "";
  const left = days < 0 ? "expired" : `${days} days left${soon}`;
  return `${(subject ?? "").trim().replaceAll("\n", ", ")}  ${from} to ${to}  ${left}`;
}
