import type { V1Ingress } from "@kubernetes/client-node";
import type { Cluster } from "./cluster.ts";
import type { KindWatch } from "./kind-watch.ts";
import { type NamedWatchOptions, watchNamed } from "./named-watch.ts";

/** Watches one Ingress by its name. */
export function watchIngress(
  cluster: Cluster,
  options: { namespace: string } & Pick<NamedWatchOptions<V1Ingress>, "name" | "onObject" | "onError">,
): KindWatch<V1Ingress> {
  const { namespace, ...named } = options;
  return watchNamed<V1Ingress>(cluster, {
    ...named,
    path: `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`,
    list: (selector) => cluster.networking.listNamespacedIngress({ namespace, ...selector }),
  });
}
