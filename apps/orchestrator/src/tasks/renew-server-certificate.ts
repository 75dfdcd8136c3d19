import { type Cluster, type PkiWatch, renewServerCertificate } from "@cactus/core/kubernetes";
import type { Deps } from "../deps.ts";

type RenewalDeps = Pick<Deps, "config" | "logger" | "now"> & { cluster: Cluster; pki: PkiWatch };

/** Longest wait, after a start, for the cluster's first answer: the next time is an hour later. */
const PATIENCE_MS = 30_000;

/**
 * Renews the certificates that the edge and the API show, each when two thirds of its life have passed and our own CA has
 * signed it. They stay in the Secrets that the Ingresses name and every route has copied, so that no route changes.
 */
export async function renewServers({ cluster, pki, config, logger, now }: RenewalDeps): Promise<void> {
  await pki.untilSynced(PATIENCE_MS);
  const { server, api } = pki;
  const options = {
    names: {
      caCertificateSecret: config.TLS_CA_CERTIFICATE_GENERIC_SECRET_NAME,
      caKeyPairSecret: config.TLS_CA_TLS_SECRET_NAME,
      serverSecret: server?.secretName ?? "",
      apiSecret: api?.secretName,
    },
    namespaces: { orchestration: config.TEST_ORCHESTRATION_NAMESPACE, execution: config.TEST_EXECUTION_NAMESPACE },
    fqdn: config.TEST_EXECUTION_FQDN,
    now: now(),
  };
  if (server && (await renewServerCertificate(cluster, options)))
    logger.info({ secret: server.secretName }, "renewed the server's certificate");
  if (api && (await renewServerCertificate(cluster, { ...options, apiHosts: api.hosts })))
    logger.info({ secret: api.secretName }, "renewed the API's certificate");
}
