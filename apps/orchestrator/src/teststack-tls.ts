import { setTimeout as sleep } from "node:timers/promises";
import { OrchestratorError } from "@cactus/core";
import { type Cluster, type SecretWatch, watchSecret } from "@cactus/core/kubernetes";
import {
  ANY_TESTSTACK,
  type Authority,
  INTERNAL_CLIENTS,
  type InternalFiles,
  type InternalPkiFiles,
  inspectInternalPki,
  issueInternalFiles,
  loadPair,
  PkiError,
  type SecretFiles,
} from "@cactus/core/pki";
import type { RunnerCredentials } from "@cactus/core/runner";
import type { Config } from "./config.ts";
import type { Deps } from "./deps.ts";

const DAY_MS = 86_400_000;
/** The orchestrator's own certificate is made anew when half of this is over; it is nowhere but in memory. */
const OWN_DAYS = 2;
/** Instances' certificates outlast the longest life by this: for what follows the life, and for clocks. */
const MARGIN_DAYS = 1;
/** Longest wait, after a start, for the cluster's first answer. */
const PATIENCE_MS = 2_000;

type TlsConfig = Pick<
  Config,
  | "IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS"
  | "RUN_EXTENSION_MAX_SECONDS"
  | "TEST_EXECUTION_NAMESPACE"
  | "TEST_ORCHESTRATION_NAMESPACE"
  | "TESTSTACK_COLLECT_TIMEOUT_SECONDS"
  | "TESTSTACK_EDGE_CLIENT_SECRET_NAME"
  | "TESTSTACK_INTERNAL_CA_SECRET_NAME"
  | "TESTSTACK_SPAWN_TIMEOUT_SECONDS"
>;

/** Certificates for the traffic between Pods, from the internal CA, whose Secret is watched. */
export class TeststackTls implements AsyncDisposable {
  readonly #config: TlsConfig;
  readonly #now: () => Date;
  readonly #secret: SecretWatch;
  readonly #edgeSecret: SecretWatch;
  #loaded: { files: SecretFiles; authority: Authority } | undefined;
  #own: { authority: Authority; renewAt: number; credentials: Promise<RunnerCredentials> } | undefined;

  constructor(
    cluster: Cluster,
    { config, logger, now, onChange }: Pick<Deps, "logger" | "now"> & { config: TlsConfig; onChange?: () => void },
  ) {
    this.#config = config;
    this.#now = now;
    const watch = (namespace: string, name: string): SecretWatch =>
      watchSecret(cluster, {
        namespace,
        name,
        onError: (err) => logger.warn({ err }, "watching the internal CA was interrupted"),
        onChange,
      });
    this.#secret = watch(config.TEST_ORCHESTRATION_NAMESPACE, config.TESTSTACK_INTERNAL_CA_SECRET_NAME);
    this.#edgeSecret = watch(config.TEST_EXECUTION_NAMESPACE, config.TESTSTACK_EDGE_CLIENT_SECRET_NAME);
  }

  /** Whether the Secrets have been listed. */
  get synced(): boolean {
    return this.#secret.synced && this.#edgeSecret.synced;
  }

  /** What the Secrets hold now. */
  files(): InternalPkiFiles {
    return { internal: this.#secret.files, "edge-client": this.#edgeSecret.files };
  }

  /** Checks that an encrypted instance could be made and reached. @throws {OrchestratorError} `unavailable`, with the reason */
  check(): void {
    if (!this.synced) throw unavailable("the cluster has not answered yet");
    const reports = inspectInternalPki(this.files(), this.#now());
    const [problem] = reports.flatMap(({ role, problems }) => problems.map((text) => `${role}: ${text}`));
    if (problem !== undefined) throw unavailable(problem.replace(/\.$/, ""));
  }

  #getAuthority(): Authority {
    const files = this.#secret.files ?? {};
    const now = this.#now();
    if (this.#loaded?.files === files && now < this.#loaded.authority.notAfter) return this.#loaded.authority;
    try {
      this.#loaded = { files, authority: loadPair(files, "tls", now) };
      return this.#loaded.authority;
    } catch (error) {
      if (error instanceof PkiError) throw unavailable(`the internal CA: ${error.message.replace(/\.$/, "")}`, error);
      throw error;
    }
  }

  /** Issues an instance's files, good for the longest life that it can have. @throws {OrchestratorError} `unavailable` */
  async issue(teststackName: string): Promise<InternalFiles> {
    const config = this.#config;
    const seconds =
      config.IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS +
      config.RUN_EXTENSION_MAX_SECONDS +
      config.TESTSTACK_SPAWN_TIMEOUT_SECONDS +
      config.TESTSTACK_COLLECT_TIMEOUT_SECONDS;
    return issueInternalFiles(this.#getAuthority(), {
      dnsNames: [`${teststackName}.${config.TEST_EXECUTION_NAMESPACE}.svc`, ANY_TESTSTACK],
      usage: "server",
      validityDays: seconds / 86_400 + MARGIN_DAYS,
      now: this.#now(),
    });
  }

  /** What the orchestrator itself shows to instances, and verifies them by. @throws {OrchestratorError} `unavailable` */
  async getCredentials(): Promise<RunnerCredentials> {
    if (!this.#secret.synced)
      await Promise.race([this.#secret.untilSynced(), sleep(PATIENCE_MS, undefined, { ref: false })]);
    const authority = this.#getAuthority();
    const now = this.#now();
    if (this.#own?.authority !== authority || now.getTime() >= this.#own.renewAt) {
      const renewAt = now.getTime() + (OWN_DAYS * DAY_MS) / 2;
      const credentials = issueOwn(authority, now);
      this.#own = { authority, renewAt, credentials };
      credentials.catch(() => {
        this.#own = undefined;
      });
    }
    return this.#own.credentials;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#secret, this.#edgeSecret].map((secret) => secret[Symbol.asyncDispose]()));
  }
}

async function issueOwn(authority: Authority, now: Date): Promise<RunnerCredentials> {
  const dnsNames = [INTERNAL_CLIENTS.orchestrator] as const;
  const files = await issueInternalFiles(authority, { dnsNames, usage: "client", validityDays: OWN_DAYS, now });
  return { ca: files["ca.crt"], cert: files["tls.crt"], key: files["tls.key"] };
}

function unavailable(why: string, cause?: unknown): OrchestratorError {
  return new OrchestratorError("unavailable", `Encrypted teststacks cannot be used now: ${why}.`, { cause });
}
