import type { V1Secret } from "@kubernetes/client-node";
import type { SecretFiles } from "../pki/index.ts";
import type { Cluster } from "./cluster.ts";
import { watchNamed } from "./named-watch.ts";
import { readSecretFiles } from "./secret-files.ts";

/** What one Secret holds, kept up to date by watching; reading it costs no call. */
export interface SecretWatch extends AsyncDisposable {
  /** Whether it has been listed, so that absence means absence. */
  readonly synced: boolean;
  /** Resolves when it has been listed. */
  untilSynced(): Promise<void>;
  /** The same object until the Secret changes; undefined where there is none. */
  readonly files: SecretFiles | undefined;
}

export interface SecretWatchOptions {
  readonly namespace: string;
  readonly name: string;
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Called when it has changed. */
  readonly onChange?: (() => void) | undefined;
}

/** Watches one Secret by its name alone, so that a Role can name it too. */
export function watchSecret(cluster: Cluster, { namespace, name, onError, onChange }: SecretWatchOptions): SecretWatch {
  let files: SecretFiles | undefined;
  const watch = watchNamed<V1Secret>(cluster, {
    path: `/api/v1/namespaces/${namespace}/secrets`,
    name,
    list: (selector) => cluster.core.listNamespacedSecret({ namespace, ...selector }),
    onObject: (secret) => {
      files = readSecretFiles(secret);
      onChange?.();
    },
    onError,
  });
  return {
    get synced() {
      return watch.synced;
    },
    untilSynced: () => watch.untilSynced(),
    get files() {
      return files;
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}
