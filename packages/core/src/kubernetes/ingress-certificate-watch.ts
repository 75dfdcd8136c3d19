import type { V1Ingress } from "@kubernetes/client-node";
import type { SecretFiles } from "../pki/index.ts";
import type { Cluster } from "./cluster.ts";
import { watchIngress } from "./ingress-watch.ts";
import { findIngressTls, type IngressTls } from "./pki-secrets.ts";
import { type SecretWatch, watchSecret } from "./secret-watch.ts";

export interface IngressCertificateWatchOptions {
  readonly namespace: string;
  readonly ingress: string;
  /** The host whose certificate is meant; the first when left out. */
  readonly host?: string | undefined;
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** What an Ingress shows, kept up to date by watching. */
export interface IngressCertificateWatch extends AsyncDisposable {
  /** Whether it has been listed, so that absence means absence. */
  readonly synced: boolean;
  /** Resolves when it has been listed. */
  untilSynced(): Promise<void>;
  /** What the Ingress names; undefined where there is no Ingress, or it names none. */
  readonly tls: IngressTls | undefined;
  /** What the Secret holds that it names. */
  readonly files: SecretFiles | undefined;
}

/** Watches an Ingress by its name, and the Secret that it names for a host, also after that has become another. */
export function watchIngressCertificate(
  cluster: Cluster,
  { namespace, ingress: name, host, onError }: IngressCertificateWatchOptions,
): IngressCertificateWatch {
  let tls: IngressTls | undefined;
  let secret: SecretWatch | undefined;

  function follow(object: V1Ingress | undefined): void {
    const known = tls?.secretName;
    tls = findIngressTls(object, host);
    if (tls?.secretName === known) return;
    void secret?.[Symbol.asyncDispose]();
    secret = tls && watchSecret(cluster, { namespace, name: tls.secretName, onError });
  }

  const ingress = watchIngress(cluster, { namespace, name, onObject: follow, onError });
  return {
    get synced() {
      return ingress.synced && secret?.synced !== false;
    },
    async untilSynced() {
      await ingress.untilSynced();
      await secret?.untilSynced();
    },
    get tls() {
      return tls;
    },
    get files() {
      return secret?.files;
    },
    async [Symbol.asyncDispose]() {
      await ingress[Symbol.asyncDispose]();
      await secret?.[Symbol.asyncDispose]();
    },
  };
}
