import type { PkiWatch } from "@cactus/core/kubernetes";
import { type CertificateReport, countDaysLeft, inspectInternalPki, inspectPki } from "@cactus/core/pki";
import { Gauge } from "prom-client";
import type { Config } from "./config.ts";
import type { Deps } from "./deps.ts";
import type { TeststackPlans } from "./teststack-plans.ts";

/** What the installation's certificates are like now; nothing before they are known, or without a cluster. */
export type CertificateReports = () => CertificateReport[];

export function openCertificateReports(deps: {
  pki: PkiWatch | undefined;
  plans: Pick<TeststackPlans, "tls"> | undefined;
  config: Pick<Config, "TEST_EXECUTION_FQDN" | "TESTSTACK_ENCRYPTION">;
  now: () => Date;
}): CertificateReports {
  const { pki, plans, config, now } = deps;
  const tls = config.TESTSTACK_ENCRYPTION === "sidecar" ? plans?.tls : undefined;
  return () => [
    ...(pki?.synced
      ? inspectPki(pki.files(), { fqdn: config.TEST_EXECUTION_FQDN, apiHosts: pki.api?.hosts, now: now() })
      : []),
    ...(tls?.synced ? inspectInternalPki(tls.files(), now()) : []),
  ];
}

/** Says in words what is wrong, by what each certificate is; `ok` when nothing is, `not known yet` before they were read. */
export function describeCertificates(reports: CertificateReport[]): string {
  if (reports.length === 0) return "not known yet";
  const problems = reports.flatMap(({ role, problems }) => problems.map((problem) => `${role}: ${problem}`));
  return problems.length === 0 ? "ok" : problems.join(" ");
}

/** Adds gauges of the certificates, which are read when they are asked for. Their label has seven values at most. */
export function measureCertificates({
  metrics,
  certificateReports,
  now,
}: Pick<Deps, "metrics" | "certificateReports" | "now">): void {
  const registers = [metrics.registry];
  const labelNames = ["certificate"];
  const gauges: { name: string; help: string; read: (report: CertificateReport) => number | undefined }[] = [
    {
      name: "cactus_certificate_expiry_days",
      help: "Days until the first certificate of a kind expires",
      read: ({ notAfter }) => notAfter && countDaysLeft(notAfter, now()),
    },
    {
      name: "cactus_certificate_problems",
      help: "What an operator has to mend about certificates: cactus pki status tells it in words",
      read: ({ problems }) => problems.length,
    },
  ];
  for (const { read, ...names } of gauges) {
    new Gauge({
      ...names,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const report of certificateReports()) {
          const value = read(report);
          if (value !== undefined) this.set({ certificate: report.role }, value);
        }
      },
    });
  }
}
