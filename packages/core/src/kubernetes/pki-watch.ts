import { setTimeout as sleep } from "node:timers/promises";
import type { PkiFiles } from "../pki/index.ts";
import type { Cluster } from "./cluster.ts";
import { watchIngressCertificate } from "./ingress-certificate-watch.ts";
import type { IngressTls } from "./pki-secrets.ts";
import { watchSecret } from "./secret-watch.ts";

export interface PkiWatchOptions {
  readonly namespaces: { readonly orchestration: string; readonly execution: string };
  readonly names: {
    readonly caCertificateSecret: string;
    readonly caKeyPairSecret: string;
    readonly baseIngress: string;
    /** Of the API, beside the orchestrator. */
    readonly apiIngress: string;
  };
  /** The host whose certificate the server's is. */
  readonly fqdn: string;
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** What the installation's Secrets hold, kept up to date by watching; reading it costs no call. */
export interface PkiWatch extends AsyncDisposable {
  /** Whether all has been listed, so that absence means absence. */
  readonly synced: boolean;
  /** Whether the signing CA's Secret has been listed. */
  readonly knowsAuthority: boolean;
  /** Resolves when it has, or when that takes longer. */
  untilAuthorityKnown(limitMs: number): Promise<void>;
  /** Resolves when all has been listed, or when that takes longer. */
  untilSynced(limitMs: number): Promise<void>;
  /** The same object for each Secret until that Secret changes. */
  files(): PkiFiles;
  /** The server's certificate, as the base Ingress names it. */
  readonly server: IngressTls | undefined;
  /** The API's certificate, as its Ingress names it; undefined where it is not served over TLS. */
  readonly api: IngressTls | undefined;
}

/**
 * Watches the Secrets with certificates, each by its name alone, so that a Role can name them too. The server's and the API's
 * are those that their Ingresses name, also after that has changed.
 */
export function watchPki(cluster: Cluster, { namespaces, names, fqdn, onError }: PkiWatchOptions): PkiWatch {
  const { orchestration, execution } = namespaces;
  const followSecret = (namespace: string, name: string) => watchSecret(cluster, { namespace, name, onError });
  const authority = followSecret(orchestration, names.caKeyPairSecret);
  const trust = followSecret(execution, names.caCertificateSecret);
  const follow = (namespace: string, ingress: string, host?: string) =>
    watchIngressCertificate(cluster, { namespace, ingress, host, onError });
  const server = follow(execution, names.baseIngress, fqdn);
  const api = follow(orchestration, names.apiIngress);
  const all = [authority, trust, server, api];
  return {
    get synced() {
      return all.every(({ synced }) => synced);
    },
    get knowsAuthority() {
      return authority.synced;
    },
    untilAuthorityKnown: (limitMs) => within(limitMs, authority.untilSynced()),
    untilSynced: (limitMs) => within(limitMs, Promise.all(all.map((watch) => watch.untilSynced()))),
    files: () => ({ authority: authority.files, trust: trust.files, server: server.files, api: api.files }),
    get server() {
      return server.tls;
    },
    get api() {
      return api.tls;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((watch) => watch[Symbol.asyncDispose]()));
    },
  };
}

async function within(limitMs: number, wanted: Promise<unknown>): Promise<void> {
  const limit = new AbortController();
  await Promise.race([wanted, sleep(limitMs, undefined, limit).catch(() => {})]);
  limit.abort();
}
