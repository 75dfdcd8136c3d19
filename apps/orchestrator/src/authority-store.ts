import { OrchestratorError } from "@cactus/core";
import { type Cluster, isNotFound, toClusterError } from "@cactus/core/kubernetes";
import { type Authority, loadAuthority, PkiError } from "@cactus/core/pki";
import type { Config } from "./config.ts";

/** The CA that signs client certificates. */
export interface AuthorityStore {
  /** The CA as its Secret has it now. @throws {OrchestratorError} `unavailable` when it cannot be used, with the reason */
  get(): Promise<Authority>;
}

/** A changed Secret is noticed after this long. */
const READ_AGAIN_MS = 15_000;

/** Reads the signing CA from its Secret (`tls.crt`, `tls.key`); it is held in memory and never stored anywhere else. */
export function openAuthorityStore(deps: {
  cluster: Cluster | undefined;
  config: Pick<Config, "TLS_CA_TLS_SECRET_NAME" | "TEST_ORCHESTRATION_NAMESPACE">;
  now: () => Date;
}): AuthorityStore {
  const { cluster, config, now } = deps;
  const name = config.TLS_CA_TLS_SECRET_NAME;
  const namespace = config.TEST_ORCHESTRATION_NAMESPACE;
  let loaded: { version: string; authority: Promise<Authority>; readAt: number } | undefined;

  async function readSecret() {
    if (cluster === undefined) throw unavailable("no cluster is configured");
    return cluster.core.readNamespacedSecret({ name, namespace }).catch((error: unknown) => {
      if (isNotFound(error)) throw unavailable(`Secret ${namespace}/${name} does not exist`);
      throw toClusterError(error, "read the signing CA");
    });
  }

  async function load(data: Record<string, string>): Promise<Authority> {
    try {
      return await loadAuthority({
        certificatePem: decode(data, "tls.crt"),
        privateKeyPem: decode(data, "tls.key"),
        now: now(),
      });
    } catch (error) {
      if (error instanceof PkiError) throw unavailable(`Secret ${namespace}/${name}: ${error.message}`, error);
      throw error;
    }
  }

  return {
    async get() {
      if (loaded !== undefined && now().getTime() - loaded.readAt < READ_AGAIN_MS) return loaded.authority;
      const secret = await readSecret();
      const version = `${secret.metadata?.uid}/${secret.metadata?.resourceVersion}`;
      const authority = loaded?.version === version ? loaded.authority : load(secret.data ?? {});
      await authority;
      loaded = { version, authority, readAt: now().getTime() };
      return authority;
    },
  };
}

function decode(data: Record<string, string>, key: string): string {
  return Buffer.from(data[key] ?? "", "base64").toString("utf8");
}

function unavailable(why: string, cause?: unknown): OrchestratorError {
  return new OrchestratorError("unavailable", `Certificates cannot be issued now: ${why}.`, { cause });
}
