import type { ClusterApi } from "../src/cluster-api.ts";
import { openRegistry } from "./_registry.ts";

export const NAMESPACE = "test-execution";

/** An API server without its wire, that has the namespace of the tests. */
export async function openCluster(): Promise<Disposable & { cluster: ClusterApi }> {
  const { api: cluster, ...registry } = openRegistry();
  await cluster.create("namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  return { cluster, [Symbol.dispose]: registry[Symbol.dispose] };
}
