import type { V1ConfigMap, V1Service, V1StatefulSet } from "@kubernetes/client-node";
import { OrchestratorError } from "../errors.ts";
import {
  checkTemplate,
  parseTeststackSpec,
  type Template,
  type TeststackSpec,
  toTemplate,
} from "../teststack/index.ts";
import type { Cluster } from "./cluster.ts";
import { watchNamed } from "./named-watch.ts";

/** Where what every teststack is made from is found. */
export interface TemplateSource {
  namespace: string;
  /** A StatefulSet and a Service that are cloned, or a ConfigMap with `teststack.yaml` that both are generated from. */
  from: { kind: "template"; statefulSet: string; service: string } | { kind: "generated"; configMap: string };
  /** Main container of a cloned template. */
  appName: string;
  /** Port that the Service must have. */
  servicePort: number;
}

export interface TemplateWatchOptions extends TemplateSource {
  /** Called when something has changed. */
  onChange: () => void;
  onError?: ((error: unknown) => void) | undefined;
}

/** What every new teststack is made from, kept up to date by watching; reading it costs no call. */
export interface TemplateWatch extends AsyncDisposable {
  /** Whether it has been listed, so that absence means absence. */
  readonly synced: boolean;
  /**
   * The template for a CSIP-Aus version, as it is now.
   *
   * @throws {OrchestratorError} `unavailable` with a sentence that says what is missing or wrong
   */
  get(csipAusVersion: string): Template;
  /** Versions that have a template of their own; a cloned template serves every version, and has one: "". */
  versions(): string[];
}

const SPEC_KEY = "teststack.yaml";

export function watchTemplate(cluster: Cluster, options: TemplateWatchOptions): TemplateWatch {
  return options.from.kind === "template"
    ? watchClonedTemplate(cluster, { ...options, from: options.from })
    : watchSpec(cluster, { ...options, from: options.from });
}

type OptionsFor<TKind extends TemplateSource["from"]["kind"]> = TemplateWatchOptions & {
  from: Extract<TemplateSource["from"], { kind: TKind }>;
};

function watchClonedTemplate(cluster: Cluster, options: OptionsFor<"template">): TemplateWatch {
  const { namespace, from, onChange, onError } = options;
  let statefulSet: V1StatefulSet | undefined;
  let service: V1Service | undefined;
  const watches = [
    watchNamed<V1StatefulSet>(cluster, {
      path: `/apis/apps/v1/namespaces/${namespace}/statefulsets`,
      name: from.statefulSet,
      list: (selector) => cluster.apps.listNamespacedStatefulSet({ namespace, ...selector }),
      onObject: (object) => {
        statefulSet = object;
        onChange();
      },
      onError,
    }),
    watchNamed<V1Service>(cluster, {
      path: `/api/v1/namespaces/${namespace}/services`,
      name: from.service,
      list: (selector) => cluster.core.listNamespacedService({ namespace, ...selector }),
      onObject: (object) => {
        service = object;
        onChange();
      },
      onError,
    }),
  ];
  return {
    get synced() {
      return watches.every((watch) => watch.synced);
    },
    versions: () => [""],
    get() {
      if (statefulSet === undefined) throw missing(this.synced, `StatefulSet ${namespace}/${from.statefulSet}`);
      if (service === undefined) throw missing(this.synced, `Service ${namespace}/${from.service}`);
      const template = { statefulSet, service };
      checkTemplate(template, options);
      return template;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(watches.map((watch) => watch[Symbol.asyncDispose]()));
    },
  };
}

function watchSpec(cluster: Cluster, options: OptionsFor<"generated">): TemplateWatch {
  const { namespace, from, onChange, onError, servicePort } = options;
  const name = from.configMap;
  // Read once for each change: a large text takes its time.
  let getSpec = (): TeststackSpec => {
    throw missing(false, name);
  };
  const watch = watchNamed<V1ConfigMap>(cluster, {
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    name,
    list: (selector) => cluster.core.listNamespacedConfigMap({ namespace, ...selector }),
    onObject: (object) => {
      getSpec = readOnce(object?.data?.[SPEC_KEY], `ConfigMap ${namespace}/${name} with ${SPEC_KEY}`);
      onChange();
    },
    onError,
  });
  return {
    get synced() {
      return watch.synced;
    },
    versions: () => Object.keys(getSpec().versions),
    get: (csipAusVersion) => toTemplate(getSpec(), csipAusVersion, { namespace, name, servicePort }),
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}

/** What a text says, or throws, each time anew. */
function readOnce(text: string | undefined, what: string): () => TeststackSpec {
  try {
    if (text === undefined) throw missing(true, what);
    const spec = parseTeststackSpec(text);
    return () => spec;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** What is said of an object that is not there. */
export function missing(known: boolean, what: string): OrchestratorError {
  const why = known ? `${what} does not exist` : "the cluster has not answered yet";
  return new OrchestratorError("unavailable", `Teststacks cannot be created now: ${why}.`);
}
