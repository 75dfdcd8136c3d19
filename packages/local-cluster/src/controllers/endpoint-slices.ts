import type * as model from "@kubernetes/client-node";
import type { Stored, Wire } from "../cluster-api.ts";
import { podPort } from "../node-agent/pod-port.ts";

export type Service = Stored<model.V1Service>;
export type EndpointSlice = Stored<model.V1EndpointSlice>;
type Pod = Stored<model.V1Pod>;
type Endpoint = Wire<model.V1Endpoint>;
type EndpointPort = Wire<model.DiscoveryV1EndpointPort>;
type ServicePort = Wire<model.V1ServicePort>;

export const SERVICE_LABEL = "kubernetes.io/service-name";

/** Endpoints that are reached at the same ports, which is what a slice holds. */
export interface SliceContent {
  ports: EndpointPort[];
  endpoints: Endpoint[];
}

/** What the slices of a Service have to hold: its Pods that have an address, together where their ports are the same. */
export function planSlices(service: Service, pods: readonly Pod[]): SliceContent[] {
  const byPorts = new Map<string, SliceContent>();
  for (const pod of pods) {
    if (!hasAddress(pod)) continue;
    const ports = (service.spec?.ports ?? []).flatMap((port) => endpointPort(port, pod) ?? []);
    const key = JSON.stringify(ports);
    const content = byPorts.get(key) ?? { ports, endpoints: [] };
    content.endpoints.push(endpoint(service, pod));
    byPorts.set(key, content);
  }
  return byPorts.size > 0 ? [...byPorts.values()] : [{ ports: [], endpoints: [] }];
}

export function buildSlice(service: Service, { ports, endpoints }: SliceContent): object {
  const { name = "", namespace, uid, labels } = service.metadata;
  const headless = service.spec?.clusterIP === "None";
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: {
        ...labels,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        [SERVICE_LABEL]: name,
        ...(headless && { "service.kubernetes.io/headless": "" }),
      },
      ownerReferences: [{ apiVersion: "v1", kind: "Service", name, uid, controller: true, blockOwnerDeletion: true }],
    },
    addressType: "IPv4",
    endpoints,
    ports,
  };
}

function hasAddress({ status }: Pod): boolean {
  return Boolean(status?.podIP) && status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

function endpoint(service: Service, { metadata, spec, status }: Pod): Endpoint {
  const serving = (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True");
  const terminating = metadata.deletionTimestamp !== undefined;
  const { name, namespace, uid } = metadata;
  return {
    addresses: [status?.podIP ?? ""],
    conditions: {
      ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    targetRef: { kind: "Pod", namespace: namespace ?? "", name: name ?? "", uid: uid ?? "" },
    nodeName: spec?.nodeName ?? "",
  };
}

function endpointPort(servicePort: ServicePort, pod: Pod): EndpointPort | undefined {
  const { name = "", protocol = "TCP", port, targetPort = port } = servicePort;
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const number =
    typeof targetPort === "number"
      ? targetPort
      : containers.flatMap(({ ports = [] }) => ports).find((each) => each.name === targetPort)?.containerPort;
  return number === undefined ? undefined : { name, protocol, port: podPort(pod, number) };
}
