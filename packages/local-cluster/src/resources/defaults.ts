import type { JsonObject } from "../json.ts";
import { placesAt } from "./places.ts";

/**
 * What the API server writes where a client wrote nothing: a value by pattern, or how to make it from the fields beside it
 * (undefined leaves the field away). In order, so that later patterns see what earlier ones wrote.
 */
export type Defaults = Readonly<Record<string, unknown>>;

export function applyDefaults(object: JsonObject, defaults: Defaults): void {
  for (const [pattern, value] of Object.entries(defaults)) {
    const places = placesAt(object, pattern).filter(({ parent, field }) => isAbsent(parent[field], value));
    for (const { parent, field } of places) {
      const made: unknown = typeof value === "function" ? value(parent) : structuredClone(value);
      if (made !== undefined) parent[field] = made;
    }
  }
}

/** Go cannot tell an empty text from none. */
function isAbsent(present: unknown, value: unknown): boolean {
  return present === undefined || (present === "" && typeof value === "string");
}

function under(prefix: string, defaults: Defaults): Defaults {
  return Object.fromEntries(Object.entries(defaults).map(([pattern, value]) => [`${prefix}.${pattern}`, value]));
}

function httpGetDefaults(): Defaults {
  return { "httpGet.path": "/", "httpGet.scheme": "HTTP" };
}

function probeDefaults(): Defaults {
  return { ...httpGetDefaults(), timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };
}

/** Only a tag that says which image it is can be trusted to be there already. */
function imagePullPolicy({ image }: JsonObject): string {
  const tag = /:([^/:]+)$/.exec(String(image))?.[1];
  return String(image).includes("@") || (tag !== undefined && tag !== "latest") ? "IfNotPresent" : "Always";
}

function containerDefaults(): Defaults {
  return {
    "ports[].protocol": "TCP",
    "env[].valueFrom.fieldRef.apiVersion": "v1",
    resources: {},
    "resources.requests": ({ limits }: JsonObject) => limits,
    ...under("livenessProbe", probeDefaults()),
    ...under("readinessProbe", probeDefaults()),
    ...under("startupProbe", probeDefaults()),
    ...under("lifecycle.postStart", httpGetDefaults()),
    ...under("lifecycle.preStop", httpGetDefaults()),
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy,
  };
}

function podSpecDefaults(): Defaults {
  return {
    "volumes[].emptyDir": (volume: JsonObject) => (Object.keys(volume).length === 1 ? {} : undefined),
    "volumes[].secret.defaultMode": 0o644,
    "volumes[].configMap.defaultMode": 0o644,
    "volumes[].projected.defaultMode": 0o644,
    "volumes[].downwardAPI.defaultMode": 0o644,
    "volumes[].hostPath.type": "",
    ...under("initContainers[]", containerDefaults()),
    ...under("containers[]", containerDefaults()),
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler",
  };
}

export const podDefaults: Defaults = {
  spec: {},
  ...under("spec", podSpecDefaults()),
  "spec.serviceAccountName": "default",
  "spec.serviceAccount": ({ serviceAccountName }: JsonObject) => serviceAccountName,
  "spec.priority": 0,
  "spec.enableServiceLinks": true,
  "spec.preemptionPolicy": "PreemptLowerPriority",
};

export const statefulSetDefaults: Defaults = {
  spec: {},
  "spec.replicas": 1,
  "spec.template": {},
  "spec.template.metadata": {},
  "spec.template.spec": {},
  ...under("spec.template.spec", podSpecDefaults()),
  "spec.serviceName": "",
  "spec.podManagementPolicy": "OrderedReady",
  "spec.updateStrategy": {},
  "spec.updateStrategy.type": "RollingUpdate",
  "spec.updateStrategy.rollingUpdate": ({ type }: JsonObject) => (type === "RollingUpdate" ? {} : undefined),
  "spec.updateStrategy.rollingUpdate.partition": 0,
  "spec.revisionHistoryLimit": 10,
  "spec.persistentVolumeClaimRetentionPolicy": {},
  "spec.persistentVolumeClaimRetentionPolicy.whenDeleted": "Retain",
  "spec.persistentVolumeClaimRetentionPolicy.whenScaled": "Retain",
};

/** A Service of type ExternalName is only a name. */
const unlessExternal =
  (value: unknown) =>
  ({ type }: JsonObject): unknown =>
    type === "ExternalName" ? undefined : structuredClone(value);

export const serviceDefaults: Defaults = {
  spec: {},
  "spec.type": "ClusterIP",
  "spec.sessionAffinity": "None",
  "spec.ports[].protocol": "TCP",
  "spec.ports[].targetPort": ({ port }: JsonObject) => port,
  "spec.ipFamilies": unlessExternal(["IPv4"]),
  "spec.ipFamilyPolicy": unlessExternal("SingleStack"),
  "spec.internalTrafficPolicy": unlessExternal("Cluster"),
};

export const networkPolicyDefaults: Defaults = {
  spec: {},
  "spec.podSelector": {},
  "spec.policyTypes": ({ egress }: JsonObject) => (egress === undefined ? ["Ingress"] : ["Ingress", "Egress"]),
  "spec.ingress[].ports[].protocol": "TCP",
  "spec.egress[].ports[].protocol": "TCP",
};

const RBAC_GROUP = "rbac.authorization.k8s.io";

export const roleBindingDefaults: Defaults = {
  roleRef: {},
  "roleRef.apiGroup": RBAC_GROUP,
  "subjects[].apiGroup": ({ kind }: JsonObject) => (kind === "ServiceAccount" ? undefined : RBAC_GROUP),
};

export const endpointSliceDefaults: Defaults = {
  endpoints: [],
  ports: [],
  "ports[].name": "",
  "ports[].protocol": "TCP",
};

export const eventDefaults: Defaults = {
  involvedObject: {},
  source: {},
  firstTimestamp: null,
  lastTimestamp: null,
  eventTime: null,
  reportingComponent: "",
  reportingInstance: "",
};
