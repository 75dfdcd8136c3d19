import type * as model from "@kubernetes/client-node";
import type { KubernetesObject, Stored } from "../cluster-api.ts";
import { findAt } from "../json.ts";
import { formatLabels } from "../store/selectors.ts";
import { ageSince } from "./age.ts";
import { summarisePod } from "./pod-summary.ts";

/** A column of `kubectl get`. */
export interface Column {
  name: string;
  type: "string" | "integer";
  /** 1 shows it only with `-o wide`. */
  priority: 0 | 1;
  cell: (object: KubernetesObject, now: Date) => string | number;
}

const NONE = "<none>";

type Cell<TObject> = (object: TObject, now: Date) => string | number | undefined;

/** The cell function knows the kind by the row of the table that the column stands in. */
function column<TObject = KubernetesObject>(name: string, cell: Cell<TObject>, priority: 0 | 1 = 0): Column {
  return { name, type: "string", priority, cell: (object, now) => cell(object as TObject, now) ?? NONE };
}

function field(name: string, path: string, priority: 0 | 1 = 0): Column {
  return column(name, (object) => String(findAt(object, path) ?? NONE), priority);
}

function count(name: string, path: string): Column {
  return column(name, (object) => Object.keys(Object(findAt(object, path))).length);
}

const name = field("Name", "metadata.name");
const age = column("Age", ({ metadata }, now) => ageSince(metadata.creationTimestamp, now));

/** For kinds that have nothing else to show. */
export const plainColumns: readonly Column[] = [name, age];

type Pod = Stored<model.V1Pod>;

export const podColumns: readonly Column[] = [
  name,
  column<Pod>("Ready", (pod) => summarisePod(pod).ready),
  column<Pod>("Status", (pod) => summarisePod(pod).status),
  column<Pod>("Restarts", (pod, now) => {
    const { restarts, lastRestart } = summarisePod(pod);
    return restarts > 0 && lastRestart !== undefined
      ? `${restarts} (${ageSince(lastRestart, now)} ago)`
      : String(restarts);
  }),
  age,
  field("IP", "status.podIP", 1),
  field("Node", "spec.nodeName", 1),
];

type StatefulSet = Stored<model.V1StatefulSet>;
const templateContainers = ({ spec }: StatefulSet): { name: string; image?: string }[] =>
  spec?.template.spec?.containers ?? [];

export const statefulSetColumns: readonly Column[] = [
  name,
  column<StatefulSet>("Ready", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
  age,
  column<StatefulSet>(
    "Containers",
    (set) =>
      templateContainers(set)
        .map((container) => container.name)
        .join(","),
    1,
  ),
  column<StatefulSet>(
    "Images",
    (set) =>
      templateContainers(set)
        .map(({ image }) => image)
        .join(","),
    1,
  ),
];

export const serviceColumns: readonly Column[] = [
  name,
  field("Type", "spec.type"),
  field("Cluster-IP", "spec.clusterIP"),
  field("External-IP", "spec.externalName"),
  column<Stored<model.V1Service>>("Port(s)", ({ spec }) =>
    spec?.ports?.map(({ port, protocol }) => `${port}/${protocol}`).join(","),
  ),
  age,
  column<Stored<model.V1Service>>("Selector", ({ spec }) => formatLabels(spec?.selector ?? {}) || NONE, 1),
];

type Ingress = Stored<model.V1Ingress>;

export const ingressColumns: readonly Column[] = [
  name,
  field("Class", "spec.ingressClassName"),
  column<Ingress>("Hosts", ({ spec }) => spec?.rules?.map(({ host }) => host ?? "*").join(",") || "*"),
  column<Ingress>("Address", ({ status }) =>
    (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname).join(","),
  ),
  column<Ingress>("Ports", ({ spec }) => (spec?.tls === undefined ? "80" : "80, 443")),
  age,
];

export const namespaceColumns: readonly Column[] = [name, field("Status", "status.phase"), age];
export const secretColumns: readonly Column[] = [name, field("Type", "type"), count("Data", "data"), age];
export const configMapColumns: readonly Column[] = [name, count("Data", "data"), age];
export const leaseColumns: readonly Column[] = [name, field("Holder", "spec.holderIdentity"), age];
export const ingressClassColumns: readonly Column[] = [name, field("Controller", "spec.controller"), age];

const role = (binding: KubernetesObject): string =>
  `${String(findAt(binding, "roleRef.kind"))}/${String(findAt(binding, "roleRef.name"))}`;

export const roleBindingColumns: readonly Column[] = [name, column("Role", role), age];

export const networkPolicyColumns: readonly Column[] = [
  name,
  column<Stored<model.V1NetworkPolicy>>(
    "Pod-Selector",
    ({ spec }) => formatLabels(spec?.podSelector?.matchLabels ?? {}) || NONE,
  ),
  age,
];

export const endpointSliceColumns: readonly Column[] = [
  name,
  field("AddressType", "addressType"),
  column<Stored<model.V1EndpointSlice>>("Ports", ({ ports }) => ports?.map(({ port }) => port).join(",") || "<unset>"),
  column<Stored<model.V1EndpointSlice>>(
    "Endpoints",
    ({ endpoints }) => endpoints?.flatMap(({ addresses }) => addresses).join(",") || "<unset>",
  ),
  age,
];

type Event = Stored<model.CoreV1Event>;

export const eventColumns: readonly Column[] = [
  column<Event>("Last Seen", (event, now) => ageSince(event.lastTimestamp ?? event.metadata.creationTimestamp, now)),
  field("Type", "type"),
  field("Reason", "reason"),
  column<Event>("Object", ({ involvedObject }) => `${involvedObject.kind?.toLowerCase()}/${involvedObject.name}`),
  field("Message", "message"),
  { ...name, priority: 1 },
];

export const nodeColumns: readonly Column[] = [
  name,
  column<Stored<model.V1Node>>("Status", ({ status }) =>
    status?.conditions?.find(({ type }) => type === "Ready")?.status === "True" ? "Ready" : "NotReady",
  ),
  column("Roles", () => NONE),
  age,
  field("Version", "status.nodeInfo.kubeletVersion"),
];
