import { OrchestratorError } from "@cactus/core";
import { type EdgeProfile, edgeProfiles } from "@cactus/core/edge";
import {
  type BaseIngressWatch,
  type Cluster,
  findObjection,
  type OwnedObject,
  type TemplateSource,
  type TemplateWatch,
  watchBaseIngress,
  watchTemplate,
} from "@cactus/core/kubernetes";
import {
  buildOwner,
  buildOwnerReference,
  buildProxyPrefix,
  buildService,
  buildTlsSecret,
  findRunnerPort,
  hashTemplate,
  type TeststackInput,
  type Workload,
} from "@cactus/core/teststack";
import type { Config } from "./config.ts";
import type { Deps } from "./deps.ts";
import { Preflight, type Verdict } from "./preflight.ts";
import { TeststackTls } from "./teststack-tls.ts";

/** Which instance is to be made. */
export interface TeststackOrder {
  teststackId: string;
  name: string;
  workload: Workload;
  encryption: Config["TESTSTACK_ENCRYPTION"];
  csipAusVersion: string;
}

type PlanDeps = Pick<Deps, "config" | "installation" | "logger" | "now">;

/** All objects of one instance. */
export interface TeststackPlan {
  /** Created first: it owns the others, so that nothing can be left behind. */
  owner: OwnedObject;
  /** @param uid the owner's, as the cluster gave it */
  buildOwned(uid: string): OwnedObject[];
  /** What its Pod waits for, in as much as it does. */
  buildSecrets(uid: string): Promise<OwnedObject[]>;
  templateName: string;
  templateHash: string;
}

/** An instance that is only tried, never made. */
const TRIAL = { teststackId: "preflight", name: "ts-preflight", uid: "00000000-0000-0000-0000-000000000000" };

/**
 * Knows what instances are made of now, by watching the template and the base Ingress. After each change the cluster
 * judges what would be made of them, by a dry run, so that what is broken is known before anybody asks for an instance.
 */
export class TeststackPlans implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #deps: PlanDeps;
  readonly #profile: EdgeProfile;
  readonly #preflight: Preflight;
  readonly #template: TemplateWatch;
  readonly #baseIngress: BaseIngressWatch;
  #tls: TeststackTls | undefined;

  constructor(cluster: Cluster, deps: PlanDeps) {
    const { config, logger } = deps;
    this.#cluster = cluster;
    this.#deps = deps;
    this.#profile = edgeProfiles[config.EDGE_PROFILE];
    this.#preflight = new Preflight({
      list: () => this.#listVersions(),
      judge: (version) => this.#judge(version),
      logger,
    });
    const watching = {
      onChange: () => this.#preflight.request(),
      onError: (err: unknown) => logger.warn({ err }, "watching the template was interrupted"),
    };
    this.#template = watchTemplate(cluster, { ...readSource(config), ...watching });
    this.#baseIngress = watchBaseIngress(cluster, {
      namespace: config.TEST_EXECUTION_NAMESPACE,
      name: config.TEST_EXECUTION_INGRESS_NAME,
      ...watching,
    });
    if (this.#isEncrypting) void this.tls;
  }

  /** Certificates for encrypted instances: known from the start where new ones are encrypted, else when first asked for. */
  get tls(): TeststackTls {
    this.#tls ??= new TeststackTls(this.#cluster, { ...this.#deps, onChange: () => this.#preflight.request() });
    return this.#tls;
  }

  get #isEncrypting(): boolean {
    return this.#deps.config.TESTSTACK_ENCRYPTION === "sidecar";
  }

  /** @throws {OrchestratorError} `unavailable` with a sentence that says what is missing or wrong */
  plan(order: TeststackOrder): TeststackPlan {
    const { config, installation } = this.#deps;
    const template = this.#template.get(order.csipAusVersion);
    const servicePort = config.TESTSTACK_SERVICE_PORT;
    const sidecar =
      order.encryption === "sidecar" ? { image: config.TESTSTACK_ENCRYPTION_IMAGE, servicePort } : undefined;
    if (sidecar !== undefined) {
      findRunnerPort(template, servicePort);
      this.tls.check();
    }
    const input: TeststackInput = {
      installationId: installation.id,
      teststackId: order.teststackId,
      name: order.name,
      namespace: config.TEST_EXECUTION_NAMESPACE,
      template,
      appName: config.TEMPLATE_APP_NAME,
      sidecar,
    };
    const hostSettings = this.#profile.readHostSettings(this.#baseIngress.get(), config.TEST_EXECUTION_FQDN);
    const refer = (uid: string) => buildOwnerReference(order.workload, { name: order.name, uid });
    return {
      owner: buildOwner(order.workload, input),
      buildOwned: (uid) => {
        const owner = refer(uid);
        const route = this.#profile.buildRoute({
          ...input,
          owner,
          hostSettings,
          servicePort,
          proxyPrefix: buildProxyPrefix(template, order.name),
          caSecretName: config.TLS_CA_CERTIFICATE_GENERIC_SECRET_NAME,
          upstreamTls: sidecar && { clientSecretName: config.TESTSTACK_EDGE_CLIENT_SECRET_NAME },
        });
        return [buildService({ ...input, owner }), route];
      },
      buildSecrets: async (uid) => {
        if (sidecar === undefined) return [];
        return [buildTlsSecret({ ...input, sidecar, owner: refer(uid), files: await this.tls.issue(order.name) })];
      },
      templateName: template.statefulSet.metadata?.name ?? "",
      templateHash: hashTemplate(template),
    };
  }

  /** Why no instance for this version can be made; undefined when one can, or while it is not known. */
  problemOf(csipAusVersion: string): Verdict {
    const { verdicts } = this.#preflight;
    if (verdicts.size === 0) return undefined;
    return verdicts.get(csipAusVersion) ?? verdicts.get("") ?? this.#findMistake(csipAusVersion);
  }

  /** Everything about it that an operator has to mend. */
  get problems(): string[] {
    return [...new Set([...this.#preflight.verdicts.values()].filter((verdict) => verdict !== undefined))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const parts = [this.#template, this.#baseIngress, this.#preflight, this.#tls];
    await Promise.all(parts.map((part) => part?.[Symbol.asyncDispose]()));
  }

  /** A source that cannot be read has one problem, for every version. */
  #listVersions(): string[] {
    const sources = [this.#template, this.#baseIngress, ...(this.#isEncrypting ? [this.tls] : [])];
    if (sources.some(({ synced }) => !synced)) return [];
    try {
      return this.#template.versions();
    } catch {
      return [""];
    }
  }

  async #judge(csipAusVersion: string): Promise<Verdict> {
    const mistake = this.#findMistake(csipAusVersion);
    if (mistake !== undefined) return mistake;
    const { owner, buildOwned, buildSecrets } = this.#planTrial(csipAusVersion);
    const objections = await Promise.all(
      [owner, ...buildOwned(TRIAL.uid), ...(await buildSecrets(TRIAL.uid))].map((object) =>
        findObjection(this.#cluster, object),
      ),
    );
    const found = objections.filter((objection) => objection !== undefined);
    return found.length === 0 ? undefined : `The teststack template cannot be used: ${found.join("; ")}.`;
  }

  /** What can be told without the cluster. */
  #findMistake(csipAusVersion: string): Verdict {
    try {
      this.#planTrial(csipAusVersion);
      return undefined;
    } catch (error) {
      if (error instanceof OrchestratorError) return error.message;
      throw error;
    }
  }

  #planTrial(csipAusVersion: string): TeststackPlan {
    const { TESTSTACK_WORKLOAD: workload, TESTSTACK_ENCRYPTION: encryption } = this.#deps.config;
    return this.plan({ ...TRIAL, workload, encryption, csipAusVersion });
  }
}

function readSource(config: Config): TemplateSource {
  return {
    namespace: config.TESTSTACK_TEMPLATES_NAMESPACE,
    from:
      config.TESTSTACK_SOURCE === "generated"
        ? { kind: "generated", configMap: config.TESTSTACK_SPEC_CONFIGMAP_NAME }
        : {
            kind: "template",
            statefulSet: config.TEMPLATE_STATEFULSET_NAME,
            service: config.TEMPLATE_SERVICE_NAME,
          },
    appName: config.TEMPLATE_APP_NAME,
    servicePort: config.TESTSTACK_SERVICE_PORT,
  };
}
