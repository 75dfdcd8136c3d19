import type { V1Ingress } from "@kubernetes/client-node";
import type { Cluster } from "./cluster.ts";
import { watchIngress } from "./ingress-watch.ts";
import { missing, type TemplateWatchOptions } from "./template-watch.ts";

/** The Ingress that holds the settings of the instances' host, kept up to date by watching. */
export interface BaseIngressWatch extends AsyncDisposable {
  readonly synced: boolean;
  /** @throws {OrchestratorError} `unavailable` when there is none */
  get(): V1Ingress;
}

export function watchBaseIngress(
  cluster: Cluster,
  options: { namespace: string; name: string } & Pick<TemplateWatchOptions, "onChange" | "onError">,
): BaseIngressWatch {
  const { namespace, name, onChange, onError } = options;
  let ingress: V1Ingress | undefined;
  const watch = watchIngress(cluster, {
    namespace,
    name,
    onObject: (object) => {
      ingress = object;
      onChange();
    },
    onError,
  });
  return {
    get synced() {
      return watch.synced;
    },
    get() {
      if (ingress === undefined) throw missing(watch.synced, `Ingress ${namespace}/${name}`);
      return ingress;
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}
