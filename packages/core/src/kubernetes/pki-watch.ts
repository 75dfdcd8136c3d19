import { setTimeout as sleep } from "node:timers/promises";
import type { V1Ingress } from "@kubernetes/client-node";
import type { PkiFiles } from "../pki/index.ts";
import type { Cluster } from "./cluster.ts";
import { watchNamed } from "./named-watch.ts";
import { findServerSecretName } from "./pki-secrets.ts";
import { type SecretWatch, watchSecret } from "./secret-watch.ts";

export interface PkiWatchOptions {
  readonly namespaces: { readonly orchestration: string; readonly execution: string };
  readonly names: {
    readonly caCertificateSecret: string;
    readonly caKeyPairSecret: string;
    readonly baseIngress: string;
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
  /** The server's Secret, as the base Ingress names it. */
  readonly serverSecretName: string | undefined;
}

/**
 * Watches the Secrets with certificates, each by its name alone, so that a Role can name them too. The server's is the one
 * that the base Ingress names, also after that has changed.
 */
export function watchPki(cluster: Cluster, options: PkiWatchOptions): PkiWatch {
  const { namespaces, names, onError } = options;
  const followSecret = (namespace: string, name: string) => watchSecret(cluster, { namespace, name, onError });
  const authority = followSecret(namespaces.orchestration, names.caKeyPairSecret);
  const trust = followSecret(namespaces.execution, names.caCertificateSecret);
  let server: { name: string; secret: SecretWatch } | undefined;

  function followServer(ingress: V1Ingress | undefined): void {
    const name = findServerSecretName(ingress, options.fqdn);
    if (name === server?.name) return;
    void server?.secret[Symbol.asyncDispose]();
    server = name === undefined ? undefined : { name, secret: followSecret(namespaces.execution, name) };
  }

  const ingress = watchNamed<V1Ingress>(cluster, {
    path: `/apis/networking.k8s.io/v1/namespaces/${namespaces.execution}/ingresses`,
    name: names.baseIngress,
    list: (selector) => cluster.networking.listNamespacedIngress({ namespace: namespaces.execution, ...selector }),
    onObject: followServer,
    onError,
  });

  async function untilAllSynced(): Promise<void> {
    await Promise.all([ingress, authority, trust].map((watch) => watch.untilSynced()));
    await server?.secret.untilSynced();
  }

  return {
    get synced() {
      const isServerKnown = ingress.synced && (server === undefined || server.secret.synced);
      return authority.synced && trust.synced && isServerKnown;
    },
    get knowsAuthority() {
      return authority.synced;
    },
    untilAuthorityKnown: (limitMs) => within(limitMs, authority.untilSynced()),
    untilSynced: (limitMs) => within(limitMs, untilAllSynced()),
    files: () => ({ authority: authority.files, trust: trust.files, server: server?.secret.files }),
    get serverSecretName() {
      return server?.name;
    },
    async [Symbol.asyncDispose]() {
      await ingress[Symbol.asyncDispose]();
      const secrets = [authority, trust, ...(server === undefined ? [] : [server.secret])];
      await Promise.all(secrets.map((secret) => secret[Symbol.asyncDispose]()));
    },
  };
}

async function within(limitMs: number, wanted: Promise<void>): Promise<void> {
  const limit = new AbortController();
  await Promise.race([wanted, sleep(limitMs, undefined, limit).catch(() => {})]);
  limit.abort();
}
