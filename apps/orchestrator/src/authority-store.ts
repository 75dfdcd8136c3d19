import { OrchestratorError } from "@cactus/core";
import type { PkiWatch } from "@cactus/core/kubernetes";
import {
  type Authority,
  type InstalledAuthorities,
  listRoots,
  loadInstalledAuthorities,
  PkiError,
  type SecretFiles,
} from "@cactus/core/pki";
import type { Config } from "./config.ts";

/** The CA that signs client certificates. */
export interface AuthorityStore {
  /** The CA as its Secret has it now. @throws {OrchestratorError} `unavailable` when it cannot be used, with the reason */
  get(): Promise<Authority>;
  /** PEM of what clients must trust: while a rotation overlaps, both roots. @throws {OrchestratorError} as `get` does */
  getRoots(): Promise<string>;
}

/** Longest wait, after a start, for the cluster's first answer. */
const PATIENCE_MS = 5_000;

/** Holds the signing CA as its watched Secret has it, in memory, and stores it nowhere else. */
export function openAuthorityStore(deps: {
  pki: PkiWatch | undefined;
  config: Pick<Config, "TLS_CA_TLS_SECRET_NAME" | "TEST_ORCHESTRATION_NAMESPACE">;
  now: () => Date;
}): AuthorityStore {
  const { pki, config, now } = deps;
  const secret = `${config.TEST_ORCHESTRATION_NAMESPACE}/${config.TLS_CA_TLS_SECRET_NAME}`;
  let loaded: { files: SecretFiles; authorities: InstalledAuthorities } | undefined;

  async function readFiles(): Promise<SecretFiles> {
    if (pki === undefined) throw unavailable("no cluster is configured");
    if (!pki.knowsAuthority) await pki.untilAuthorityKnown(PATIENCE_MS);
    if (!pki.knowsAuthority) throw unavailable("the cluster does not answer");
    const files = pki.files().authority;
    if (files === undefined) throw unavailable(`Secret ${secret} does not exist`);
    return files;
  }

  async function load(): Promise<InstalledAuthorities> {
    const files = await readFiles();
    if (loaded?.files === files) return loaded.authorities;
    try {
      loaded = { files, authorities: loadInstalledAuthorities(files, now()) };
      return loaded.authorities;
    } catch (error) {
      if (error instanceof PkiError) throw unavailable(`Secret ${secret}: ${error.message.replace(/\.$/, "")}`, error);
      throw error;
    }
  }

  return {
    get: async () => (await load()).current,
    getRoots: async () => listRoots(await load()),
  };
}

function unavailable(why: string, cause?: unknown): OrchestratorError {
  return new OrchestratorError("unavailable", `Certificates cannot be issued now: ${why}.`, { cause });
}
