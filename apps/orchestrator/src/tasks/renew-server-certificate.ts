import { type Cluster, type PkiWatch, renewServerCertificate } from "@cactus/core/kubernetes";
import type { Deps } from "../deps.ts";

type RenewalDeps = Pick<Deps, "config" | "logger" | "now"> & { cluster: Cluster; pki: PkiWatch };

/**
 * Renews the certificate that the edge shows when two thirds of its life have passed and our own CA has signed it. It stays
 * in the Secret that the base Ingress names and every route has copied, so that no route changes.
 */
export async function renewServer({ cluster, pki, config, logger, now }: RenewalDeps): Promise<void> {
  const secret = pki.serverSecretName;
  if (secret === undefined) return;
  const renewed = await renewServerCertificate(cluster, {
    names: {
      caCertificateSecret: config.TLS_CA_CERTIFICATE_GENERIC_SECRET_NAME,
      caKeyPairSecret: config.TLS_CA_TLS_SECRET_NAME,
      serverSecret: secret,
    },
    namespaces: { orchestration: config.TEST_ORCHESTRATION_NAMESPACE, execution: config.TEST_EXECUTION_NAMESPACE },
    fqdn: config.TEST_EXECUTION_FQDN,
    now: now(),
  });
  if (renewed) logger.info({ secret }, "renewed the server's certificate");
}
