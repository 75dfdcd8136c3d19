import {
  ANY_TESTSTACK,
  createInternalAuthorityFiles,
  INTERNAL_CLIENTS,
  type InternalCertificateRequest,
  type InternalFiles,
  issueInternalFiles,
  loadAuthority,
} from "../src/pki/index.ts";
import type { RunnerCredentials } from "../src/runner/index.ts";

/** A CA of the traffic inside a cluster, and who may or may not speak to an instance. */
export interface InternalPki {
  issue(name: string, usage: InternalCertificateRequest["usage"]): Promise<InternalFiles>;
  issueInstance(name: string, namespace: string): Promise<InternalFiles>;
}

export async function createInternalPki(now = new Date()): Promise<InternalPki> {
  const files = await createInternalAuthorityFiles({ now });
  const authority = loadAuthority({
    certificatePem: files["tls.crt"] ?? "",
    privateKeyPem: files["tls.key"] ?? "",
    now,
  });
  return {
    issue: (name, usage) => issueInternalFiles(authority, { dnsNames: [name], usage, now }),
    issueInstance: (name, namespace) =>
      issueInternalFiles(authority, { dnsNames: [`${name}.${namespace}.svc`, ANY_TESTSTACK], usage: "server", now }),
  };
}

/** What a client shows, and what it verifies the instance by. */
export function toCredentials(files: InternalFiles, verifying: InternalFiles = files): RunnerCredentials {
  return { ca: verifying["ca.crt"], cert: files["tls.crt"], key: files["tls.key"] };
}

/** Clients, and whether an instance lets them in. */
export const INTERNAL_CALLERS: Record<string, [isLetIn: boolean, (pki: InternalPki) => Promise<InternalFiles>]> = {
  "the edge": [true, (pki) => pki.issue(INTERNAL_CLIENTS.edge, "client")],
  "the orchestrator": [true, (pki) => pki.issue(INTERNAL_CLIENTS.orchestrator, "client")],
  "another instance": [false, (pki) => pki.issueInstance("ts-other", "test-execution")],
  "a server with the edge's name": [false, (pki) => pki.issue(INTERNAL_CLIENTS.edge, "server")],
  "another client of the same CA": [false, (pki) => pki.issue("somebody.cactus-orchestrator", "client")],
  "the edge of another installation": [
    false,
    async () => (await createInternalPki()).issue(INTERNAL_CLIENTS.edge, "client"),
  ],
};
