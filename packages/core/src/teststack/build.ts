import type {
  V1Container,
  V1EnvVar,
  V1ObjectMeta,
  V1OwnerReference,
  V1Pod,
  V1PodSpec,
  V1Service,
  V1ServicePort,
  V1StatefulSet,
  V1StatefulSetSpec,
} from "@kubernetes/client-node";
import { OrchestratorError } from "../errors.ts";
import { buildLabels, TESTSTACK_LABEL } from "./labels.ts";
import { buildMetadata, type TeststackIdentity } from "./metadata.ts";
import { buildProxyPrefix, type Template } from "./template.ts";
import { addTlsSidecar, buildTlsServicePort, type TlsSidecar } from "./tls-sidecar.ts";

/** What keeps an instance's Pod: a StatefulSet, which replaces it when it is lost, or nothing. */
export type Workload = "statefulset" | "pod";

export interface TeststackInput extends TeststackIdentity {
  template: Template;
  /** Container that serves IEEE 2030.5 and writes hrefs (`TEMPLATE_APP_NAME`). */
  appName: string;
  /** Left out, the runner is spoken to plainly. */
  sidecar?: TlsSidecar | undefined;
}

/** Builds the object that owns all others of an instance. @throws {OrchestratorError} see {@link buildPod} */
export function buildOwner(workload: Workload, input: TeststackInput): V1StatefulSet | V1Pod {
  return workload === "pod" ? buildPod(input) : buildStatefulSet(input);
}

/**
 * Builds the StatefulSet of one instance. Only what is named here is taken over from the template, so that nothing of
 * the template's own life (uid, addresses, status, other people's labels on the set) comes along.
 */
export function buildStatefulSet(input: TeststackInput): V1StatefulSet {
  const source = specOf(input.template);
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: buildMetadata(input),
    spec: {
      serviceName: input.name,
      replicas: 1,
      revisionHistoryLimit: 1,
      selector: { matchLabels: { [TESTSTACK_LABEL]: input.teststackId } },
      template: { metadata: buildPodMetadata(input), spec: buildPodSpec(input) },
      ...(source.volumeClaimTemplates && {
        volumeClaimTemplates: source.volumeClaimTemplates.map(({ metadata, spec }) => ({
          metadata: { name: metadata?.name ?? "", ...(metadata?.labels && { labels: metadata.labels }) },
          spec: spec ?? {},
        })),
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" },
      }),
    },
  };
}

/**
 * Builds one instance as a bare Pod: when it is lost, nothing replaces it, and what it owned goes with it.
 *
 * @throws {OrchestratorError} `unavailable` when the template claims volumes, which only a StatefulSet can
 */
export function buildPod(input: TeststackInput): V1Pod {
  const { metadata, spec } = input.template.statefulSet;
  if (spec?.volumeClaimTemplates?.length) {
    const name = `${metadata?.namespace}/${metadata?.name}`;
    throw new OrchestratorError(
      "unavailable",
      `The teststack template cannot be used: ${name} has volumeClaimTemplates, which a Pod of its own (TESTSTACK_WORKLOAD=pod) cannot have.`,
    );
  }
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...buildMetadata(input), ...buildPodMetadata(input) },
    spec: buildPodSpec(input),
  };
}

/** Builds the Service of one instance. */
export function buildService(input: TeststackInput & { owner: V1OwnerReference }): V1Service {
  const source = input.template.service.spec;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...buildMetadata(input), ownerReferences: [input.owner] },
    spec: {
      type: "ClusterIP",
      ...(source?.clusterIP === "None" && { clusterIP: "None" }),
      selector: { [TESTSTACK_LABEL]: input.teststackId },
      ports: input.sidecar ? [buildTlsServicePort(input.sidecar)] : (source?.ports ?? []).map(copyPort),
    },
  };
}

/** Kinds that may own the rest of an instance. */
const OWNER_KINDS: Record<Workload, Pick<V1OwnerReference, "apiVersion" | "kind">> = {
  statefulset: { apiVersion: "apps/v1", kind: "StatefulSet" },
  pod: { apiVersion: "v1", kind: "Pod" },
};

/** Makes the garbage collector remove the object with its owner, and before it in foreground deletion. */
export function buildOwnerReference(workload: Workload, owner: { name: string; uid: string }): V1OwnerReference {
  return { ...OWNER_KINDS[workload], ...owner, controller: true, blockOwnerDeletion: true };
}

function specOf({ statefulSet }: Template): V1StatefulSetSpec {
  if (statefulSet.spec === undefined) throw new TypeError("a checked template has a spec");
  return statefulSet.spec;
}

function buildPodMetadata(input: TeststackInput): V1ObjectMeta {
  const { labels, annotations } = specOf(input.template).template.metadata ?? {};
  return {
    labels: { ...labels, ...buildLabels(input), app: input.name },
    ...(annotations && { annotations: { ...annotations } }),
  };
}

function buildPodSpec(input: TeststackInput): V1PodSpec {
  const source = specOf(input.template).template.spec ?? { containers: [] };
  const inject = (container: V1Container): V1Container => withVariables(container, variablesFor(container, input));
  const pod: V1PodSpec = {
    ...source,
    containers: source.containers.map(inject),
    ...(source.initContainers && { initContainers: source.initContainers.map(inject) }),
    // Every Service of the namespace would become a dozen variables: with hundreds of instances no process could start.
    enableServiceLinks: source.enableServiceLinks ?? false,
    automountServiceAccountToken: source.automountServiceAccountToken ?? false,
  };
  return input.sidecar ? addTlsSidecar(pod, { name: input.name, sidecar: input.sidecar }) : pod;
}

/**
 * `HREF_PREFIX` goes to whatever writes hrefs: the main app, and containers whose template already has the variable.
 * `ENVOY_PROXY_PREFIX` goes to the runner: the container that the Service leads to.
 */
function variablesFor(container: V1Container, input: TeststackInput): V1EnvVar[] {
  const prefix = buildProxyPrefix(input.template, input.name);
  const writesHrefs =
    container.name === input.appName || container.env?.some((variable) => variable.name === "HREF_PREFIX");
  const isRunner = input.template.service.spec?.ports?.some((port) => leadsTo(port, container));
  return [
    ...(writesHrefs ? [{ name: "HREF_PREFIX", value: `/${input.name}` }] : []),
    ...(isRunner && prefix !== "" ? [{ name: "ENVOY_PROXY_PREFIX", value: prefix }] : []),
  ];
}

function leadsTo(servicePort: V1ServicePort, container: V1Container): boolean {
  const target = servicePort.targetPort ?? servicePort.port;
  return (container.ports ?? []).some((port) => port.containerPort === target || port.name === target);
}

function withVariables(container: V1Container, variables: V1EnvVar[]): V1Container {
  if (variables.length === 0) return container;
  const names = new Set(variables.map((variable) => variable.name));
  // First in the list, so that the template's own variables may refer to them.
  return { ...container, env: [...variables, ...(container.env ?? []).filter((own) => !names.has(own.name))] };
}

function copyPort({ name, port, targetPort, protocol, appProtocol }: V1ServicePort): V1ServicePort {
  return {
    ...(name !== undefined && { name }),
    port,
    ...(targetPort !== undefined && { targetPort }),
    ...(protocol !== undefined && { protocol }),
    ...(appProtocol !== undefined && { appProtocol }),
  };
}
