import type { KubernetesObject } from "../cluster-api.ts";
import { findAt, isObject } from "../json.ts";
import { fitsLabels, type LabelSelector } from "../store/selectors.ts";
import { faultsOfName } from "./names.ts";
import { podSpecRules } from "./pod-rules.ts";
import { invalid, type Problem, required } from "./problem.ts";
import { atLeast, isPort, named, needed, oneOf, type Rule, type Rules, uniqueBy, unsupported } from "./rules.ts";

export const podRules: Rules = podSpecRules("spec", ["Always", "OnFailure", "Never"]);

const selectsTemplate: Rule = (labels, { path }, object) => {
  const selector: LabelSelector | undefined = findObject(object, "spec.selector");
  const isEmpty = selector === undefined || Object.keys(selector).length === 0;
  return isEmpty || !fitsLabels(selector, findObject(object, path))
    ? [invalid(path, labels, "`selector` does not match template `labels`")]
    : [];
};

export const statefulSetRules: Rules = {
  "spec.podManagementPolicy": oneOf("OrderedReady", "Parallel"),
  "spec.updateStrategy.type": oneOf("RollingUpdate", "OnDelete"),
  "spec.replicas": atLeast(0),
  "spec.minReadySeconds": atLeast(0),
  "spec.selector": needed(),
  "spec.serviceName": named("label"),
  "spec.template.metadata.labels": selectsTemplate,
  ...podSpecRules("spec.template.spec", ["Always"]),
};

/** Ports may be left out where there is no address that they would be ports of. */
const hasPorts: Rule = (ports, place, object) => {
  const headless = findAt(object, "spec.clusterIP") === "None" || findAt(object, "spec.type") === "ExternalName";
  return headless ? [] : needed()(ports, place, object);
};

/** Only a single port may go without a name. */
const portNames: Rule = (ports, { path }) => {
  if (!Array.isArray(ports) || ports.length < 2) return [];
  return ports.flatMap((port: { name?: string }, index) => (port.name ? [] : [required(`${path}[${index}].name`)]));
};

export const serviceRules: Rules = {
  "spec.ports": [hasPorts, portNames, uniqueBy("name")],
  "spec.ports[].name": named("label"),
  "spec.ports[].port": [needed(), isPort],
  "spec.ports[].protocol": oneOf("SCTP", "TCP", "UDP"),
  "spec.ports[].targetPort": isPort,
  "spec.type": oneOf("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
  "spec.sessionAffinity": oneOf("ClientIP", "None"),
};

const dataKeys: Rule = (data, { path }) =>
  Object.keys(isObject(data) ? data : {}).flatMap((key) =>
    faultsOfName(key, "configKey").map((fault) => invalid(`${path}[${key}]`, key, fault)),
  );

export const configMapRules: Rules = { data: dataKeys, binaryData: dataKeys };

/** A TLS Secret has both halves. */
const tlsParts: Rule = (type, _place, object) => {
  if (type !== "kubernetes.io/tls") return [];
  const data = isObject(object["data"]) ? object["data"] : {};
  return ["tls.crt", "tls.key"].filter((key) => !(key in data)).map((key) => required(`data[${key}]`));
};

export const secretRules: Rules = { data: dataKeys, type: tlsParts };

const sameNamespace: Rule = (namespace, { path }, { metadata }) =>
  namespace === metadata.namespace || (namespace === undefined && metadata.namespace === "default")
    ? []
    : [invalid(path, namespace ?? "", "does not match event.namespace")];

export const eventRules: Rules = { "involvedObject.namespace": sameNamespace };

const verbs = needed("verbs must contain at least one value");
const apiGroups = needed("resource rules must supply at least one api group");
const resourceNames = needed("resource rules must supply at least one resource");

export const roleRules: Rules = {
  "rules[].verbs": verbs,
  "rules[].apiGroups": apiGroups,
  "rules[].resources": resourceNames,
};

const isRoleKind: Rule = (kind, { path }) =>
  kind === "Role" || kind === "ClusterRole" ? [] : [unsupported(path, kind, ["Role", "ClusterRole"])];

export const roleBindingRules: Rules = {
  "roleRef.kind": isRoleKind,
  "roleRef.name": needed(),
  "subjects[].kind": [needed(), oneOf("ServiceAccount", "User", "Group")],
  "subjects[].name": needed(),
};

export const endpointSliceRules: Rules = {
  addressType: [needed(), oneOf("IPv4", "IPv6", "FQDN")],
  "endpoints[].addresses": needed(),
  "ports[].port": isPort,
  "ports[].protocol": oneOf("SCTP", "TCP", "UDP"),
};

export const networkPolicyRules: Rules = {
  "spec.policyTypes[]": oneOf("Ingress", "Egress"),
};

export const ingressClassRules: Rules = { "spec.controller": needed() };

export const leaseRules: Rules = {
  "spec.leaseDurationSeconds": (value, { path }): Problem[] =>
    typeof value === "number" && value <= 0 ? [invalid(path, value, "must be greater than 0")] : [],
  "spec.leaseTransitions": atLeast(0),
};

function findObject<TObject extends object>(object: KubernetesObject, path: string): TObject | undefined {
  const found: unknown = findAt(object, path);
  return isObject(found) ? (found as TObject) : undefined;
}
