import { installIngressNginx, type KubernetesUnderTest } from "@cactus/test-cluster";
import { inject } from "vitest";
import { connectCluster } from "../../src/kubernetes/index.ts";
import type { EdgeUnderTest } from "./_host.ts";

export interface IngressNginx extends EdgeUnderTest {
  /** How often nginx has got a new configuration. */
  countReloads(): Promise<number>;
}

/** Installs the real ingress-nginx in the real cluster. */
export async function openIngressNginx(): Promise<IngressNginx> {
  const kubernetes: KubernetesUnderTest = inject("kubernetes");
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(connectCluster({ kubeconfig: kubernetes.kubeconfig, timeoutSeconds: 30 }));
  stack.use(await installIngressNginx(kubernetes));
  const namespace = "ingress-nginx";
  const { spec } = await cluster.core.readNamespacedService({ namespace, name: "ingress-nginx-controller" });
  const owned = stack.move();
  return {
    ...{ cluster, image: kubernetes.image, address: { host: spec?.clusterIP ?? "", port: 443, plainPort: 80 } },
    async countReloads() {
      const { items } = await cluster.core.listNamespacedPod({ namespace });
      const logs = items.map(({ metadata }) =>
        cluster.core.readNamespacedPodLog({ namespace, name: metadata?.name ?? "" }),
      );
      return (await Promise.all(logs)).join("").split("Backend successfully reloaded").length - 1;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
