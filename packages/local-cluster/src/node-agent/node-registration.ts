import { arch, availableParallelism, platform, release, totalmem } from "node:os";
import type { ClusterApi } from "../cluster-api.ts";
import { StatusError } from "../status-error.ts";
import { toWireTime } from "./wire-time.ts";

const MAX_PODS = 253;

export interface NodeFacts {
  nodeName: string;
  hostIP: string;
  now: () => Date;
}

/** Makes this node known to the cluster, ready to take Pods. */
export async function registerNode(cluster: ClusterApi, facts: NodeFacts): Promise<void> {
  const { nodeName: name } = facts;
  const labels = {
    "kubernetes.io/arch": arch() === "x64" ? "amd64" : arch(),
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": platform(),
  };
  try {
    await cluster.create("nodes", { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec: {} });
  } catch (error) {
    if (!(error instanceof StatusError && error.code === 409)) throw error;
  }
  await patchStatus(cluster, name, buildStatus(facts));
}

/** Tells the cluster that nobody minds the Pods of this node for now. */
export async function reportStopped(cluster: ClusterApi, { nodeName, now }: NodeFacts): Promise<void> {
  const problem = { reason: "NodeAgentStopped", message: "the node agent has been stopped" };
  await patchStatus(cluster, nodeName, { conditions: [{ ...buildCondition("Ready", "False", now()), ...problem }] });
}

function patchStatus(cluster: ClusterApi, name: string, status: object): Promise<unknown> {
  return cluster.patch({ resource: "nodes", namespace: "", name }, { status }, "status");
}

function buildStatus({ nodeName, hostIP, now }: NodeFacts): object {
  const resources = {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(MAX_PODS),
  };
  const ready = { reason: "KubeletReady", message: "the node agent runs containers as processes" };
  const pressures = ["MemoryPressure", "DiskPressure", "PIDPressure"].map((type) =>
    buildCondition(type, "False", now()),
  );
  return {
    capacity: resources,
    allocatable: resources,
    addresses: [
      { type: "InternalIP", address: hostIP },
      { type: "Hostname", address: nodeName },
    ],
    conditions: [...pressures, { ...buildCondition("Ready", "True", now()), ...ready }],
    nodeInfo: {
      ...{ architecture: arch(), operatingSystem: platform(), kernelVersion: release(), osImage: platform() },
      ...{ machineID: "", systemUUID: "", bootID: "", kubeProxyVersion: "" },
      ...{ containerRuntimeVersion: `local://${process.version}`, kubeletVersion: "local-cluster" },
    },
  };
}

function buildCondition(type: string, status: "True" | "False", at: Date): object {
  return { type, status, lastHeartbeatTime: toWireTime(at), lastTransitionTime: toWireTime(at) };
}
