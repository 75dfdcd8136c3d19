import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { CoreV1Event } from "@kubernetes/client-node";
import type { ClusterApi, LogOptions, NodeApi, Stored } from "../src/cluster-api.ts";
import { type NodeAgentOptions, startNodeAgent } from "../src/node-agent/node-agent.ts";
import type { Container, ContainerStatus, Pod, PodSpec } from "../src/node-agent/pod-model.ts";
import { agentOptions, IMAGE, NODE } from "./_agent-options.ts";
import { NAMESPACE, openCluster } from "./_cluster.ts";
import { eventually } from "./_eventually.ts";

export interface AgentFixture extends AsyncDisposable {
  cluster: ClusterApi;
  folder: string;
  agent: NodeApi & AsyncDisposable;
  /** Makes a Pod that is bound to the node; containers without an image get `machine`. */
  createPod(name: string, spec: Partial<PodSpec>, metadata?: object): Promise<Pod>;
  getPod(name: string): Promise<Pod>;
  /** Waits until a Pod is as said. */
  untilPod(name: string, isSo: (pod: Pod) => boolean, what?: string): Promise<Pod>;
  events(pod: string): Promise<Pick<Stored<CoreV1Event>, "type" | "reason" | "message" | "count">[]>;
  readLog(pod: Pod, container: string, more?: Partial<LogOptions>): Promise<string>;
}

/** A node agent on a cluster of its own, with a folder that is removed in the end. */
export async function startAgentFixture(options: Partial<NodeAgentOptions> = {}): Promise<AgentFixture> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "cactus-agent-")));
  const opened = await openCluster();
  const { cluster } = opened;
  const agent = await startNodeAgent(agentOptions(cluster, folder, options));
  const getPod = (name: string) => cluster.get<Pod>({ resource: "pods", namespace: NAMESPACE, name });
  return {
    cluster,
    folder,
    agent,
    createPod: (name, spec, metadata = {}) => cluster.create<Pod>("pods", buildPod(name, spec, metadata)),
    getPod,
    untilPod: (name, isSo, what) => untilPod(() => getPod(name), isSo, what),
    events: async (pod) => {
      const { items } = await cluster.list<Stored<CoreV1Event>>("events", { namespace: NAMESPACE });
      const ofPod = items.filter(({ involvedObject }) => involvedObject.name === pod);
      return ofPod.map(({ type, reason, message, count }) => ({ type, reason, message, count }));
    },
    readLog: async (pod, container, more = {}) => {
      const { name = "", uid = "" } = pod.metadata;
      return text(await agent.openLog({ namespace: NAMESPACE, name, uid }, { container, ...more }));
    },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      opened[Symbol.dispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function buildPod(name: string, spec: Partial<PodSpec>, metadata: object = {}): object {
  const withImage = (container: Container): Container => ({ image: IMAGE, ...container });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE, ...metadata },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 5,
      ...spec,
      ...(spec.initContainers !== undefined && { initContainers: spec.initContainers.map(withImage) }),
      containers: (spec.containers ?? []).map(withImage),
    },
  };
}

/** A container that runs a shell script. (In a command, Kubernetes takes `$$` for an escaped `$`.) */
export function shell(name: string, script: string, more: Partial<Container> = {}): Container {
  return { name, command: ["/bin/sh", "-c", script.replaceAll("$", () => "$$")], ...more };
}

export async function untilPod(
  get: () => Promise<Pod>,
  isSo: (pod: Pod) => boolean,
  what = String(isSo),
): Promise<Pod> {
  let pod = await get();
  await eventually(async () => {
    pod = await get();
    return isSo(pod) || { what, status: pod.status };
  }).toBe(true);
  return pod;
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
}

export function statusOf(pod: Pod, container: string): ContainerStatus | undefined {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses].find(({ name }) => name === container);
}
