import { type Cluster, watchObjects } from "@cactus/core/kubernetes";
import { type Simulator, startSimulator } from "@cactus/teststack-simulator";
import type { V1Pod } from "@kubernetes/client-node";
import pLimit from "p-limit";

const NODE = "stub";
const NAMESPACE = "test-execution";
const TEMPLATE = { namespace: "teststack-templates", name: "envoy-set" };
const PORT = 8080;
/** Pods that are started or stopped at once: the API server is in this process too. */
const PARALLEL = 8;

/** A node whose Pods cost nearly nothing: all their simulators live in this process, each at an address of its own. */
export interface StubNode extends AsyncDisposable {
  /** By the names of their instances. */
  readonly simulators: ReadonlyMap<string, Simulator>;
}

/** Takes all instances that are made until it is disposed. Does for their Pods what a kubelet does, without probes and logs. */
export async function startStubNode(client: Cluster): Promise<StubNode> {
  const simulators = new Map<string, Simulator>();
  const pods = new Map<string, Promise<void>>();
  const limit = pLimit(PARALLEL);
  let next = 0;

  async function start(pod: V1Pod): Promise<void> {
    const { name = "", labels = {} } = pod.metadata ?? {};
    const env = new Map(pod.spec?.containers[0]?.env?.map((variable) => [variable.name, variable.value ?? ""]));
    const host = `127.200.${next >> 8}.${next & 0xff}`;
    next += 1;
    const hrefPrefix = env.get("HREF_PREFIX") ?? "";
    const proxyPrefix = env.get("ENVOY_PROXY_PREFIX") ?? "";
    simulators.set(labels["app"] ?? "", await startSimulator({ host, port: PORT, hrefPrefix, proxyPrefix }));
    const now = new Date();
    const started = { ready: true, started: true, restartCount: 0, state: { running: { startedAt: now } } };
    const containerStatuses = pod.spec?.containers.map(({ name, image = "" }) => ({
      name,
      image,
      imageID: "",
      ...started,
    }));
    const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
      type,
      status: "True",
      lastTransitionTime: now,
    }));
    const status = { phase: "Running", podIP: host, podIPs: [{ ip: host }], conditions, containerStatuses };
    await client.core.patchNamespacedPodStatus({
      ...{ name, namespace: NAMESPACE },
      body: Object.entries(status).map(([field, value]) => ({ op: "add", path: `/status/${field}`, value })),
    });
  }

  async function stop({ metadata }: V1Pod): Promise<void> {
    const instance = metadata?.labels?.["app"] ?? "";
    await simulators.get(instance)?.[Symbol.asyncDispose]();
    simulators.delete(instance);
    const name = metadata?.name ?? "";
    await client.core.deleteNamespacedPod({ name, namespace: NAMESPACE, gracePeriodSeconds: 0 }).catch(() => {});
  }

  const watch = watchObjects(client, {
    namespace: NAMESPACE,
    labelSelector: "app.kubernetes.io/managed-by=cactus-orchestrator",
  });
  const ended = new Set<string>();
  function attend(pod: V1Pod): void {
    const { uid = "", deletionTimestamp } = pod.metadata ?? {};
    if (!pods.has(uid))
      pods.set(
        uid,
        limit(() => start(pod)),
      );
    if (deletionTimestamp === undefined || ended.has(uid)) return;
    ended.add(uid);
    void pods.get(uid)?.then(() => limit(() => stop(pod)));
  }
  watch.onChange = (teststackId) => {
    for (const pod of watch.pods(teststackId)) if (pod.spec?.nodeName === NODE) attend(pod);
  };
  const changeTemplate = (body: object[]) => client.apps.patchNamespacedStatefulSet({ ...TEMPLATE, body });
  const path = "/spec/template/spec/nodeName";
  await changeTemplate([{ op: "add", path, value: NODE }]);
  return {
    simulators,
    async [Symbol.asyncDispose]() {
      await changeTemplate([{ op: "remove", path }]);
      await watch[Symbol.asyncDispose]();
      await Promise.all([...simulators.values()].map((simulator) => simulator[Symbol.asyncDispose]()));
    },
  };
}
