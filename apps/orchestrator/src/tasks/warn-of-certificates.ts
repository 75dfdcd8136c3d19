import type { PkiWatch } from "@cactus/core/kubernetes";
import { countDaysLeft } from "@cactus/core/pki";
import type { Deps } from "../deps.ts";

/** Time enough to order, sign and install another. */
const WARN_BELOW_DAYS = 30;
/** Longest wait, after a start, for the cluster's first answer: the next time is a day later. */
const PATIENCE_MS = 30_000;

/** Logs what is wrong with certificates, and which of them expire soon. */
export async function warnOfCertificates(
  deps: Pick<Deps, "certificateReports" | "logger" | "now"> & { pki: Pick<PkiWatch, "untilSynced"> },
): Promise<void> {
  const { pki, certificateReports, logger, now } = deps;
  await pki.untilSynced(PATIENCE_MS);
  for (const { role, notAfter, problems } of certificateReports()) {
    for (const problem of problems)
      logger.warn({ certificate: role, problem }, "a certificate cannot be used as it is");
    if (notAfter === undefined) continue;
    const daysLeft = countDaysLeft(notAfter, now());
    if (daysLeft < WARN_BELOW_DAYS)
      logger.warn({ certificate: role, daysLeft, notAfter }, "a certificate expires soon");
  }
}
