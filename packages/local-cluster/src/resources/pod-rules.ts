import { isObject } from "../json.ts";
import { placesAt } from "./places.ts";
import { invalid, type Problem, required } from "./problem.ts";
import { atLeast, isPort, named, needed, oneOf, type Rule, type Rules, rulesUnder, uniqueBy } from "./rules.ts";

const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc"];

const hasHandler: Rule = (probe, { path }) =>
  isObject(probe) && !HANDLERS.some((handler) => handler in probe)
    ? [required(path, "must specify a handler type")]
    : [];

const probeRules: Rules = {
  "httpGet.port": [needed(), isPort],
  "httpGet.scheme": oneOf("HTTP", "HTTPS"),
  "tcpSocket.port": [needed(), isPort],
  initialDelaySeconds: atLeast(0),
  timeoutSeconds: atLeast(0),
  periodSeconds: atLeast(0),
  successThreshold: atLeast(0),
  failureThreshold: atLeast(0),
};

const neededPort: Rule = (value, place, object) =>
  value === 0 ? [required(place.path)] : needed()(value, place, object);

/** A mount names a volume of its Pod. */
function isVolumeOf(podSpec: string): Rule {
  return (value, { path }, object): Problem[] => {
    const volumes = placesAt(object, `${podSpec}.volumes[].name`).map(({ parent }) => parent["name"]);
    return value === undefined || volumes.includes(value) ? [] : [{ field: path, type: "Not found", value }];
  };
}

const noDots: Rule = (value, { path }) =>
  typeof value === "string" && value.split("/").includes("..") ? [invalid(path, value, "must not contain '..'")] : [];

function containerRules(podSpec: string): Rules {
  return {
    name: [needed(), named("label")],
    image: needed(),
    "ports[].containerPort": [neededPort, isPort],
    "ports[].protocol": oneOf("SCTP", "TCP", "UDP"),
    "env[].name": needed(),
    "volumeMounts[].name": [needed(), isVolumeOf(podSpec)],
    "volumeMounts[].mountPath": needed(),
    "volumeMounts[].subPath": noDots,
    imagePullPolicy: oneOf("Always", "IfNotPresent", "Never"),
    ...Object.assign(
      {},
      ...["livenessProbe", "readinessProbe", "startupProbe"].map((probe) => ({
        [probe]: hasHandler,
        ...rulesUnder(probe, probeRules),
      })),
    ),
  };
}

/** What a Pod's spec has to be, wherever it stands. */
export function podSpecRules(path: string, restartPolicies: readonly string[]): Rules {
  return rulesUnder(path, {
    "volumes[].name": [needed(), named("label")],
    volumes: uniqueBy("name"),
    containers: [needed(), uniqueBy("name")],
    ...rulesUnder("containers[]", containerRules(path)),
    initContainers: uniqueBy("name"),
    ...rulesUnder("initContainers[]", containerRules(path)),
    "initContainers[].restartPolicy": oneOf("Always"),
    restartPolicy: oneOf(...restartPolicies),
    dnsPolicy: oneOf("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
    terminationGracePeriodSeconds: atLeast(0),
    serviceAccountName: named("subdomain"),
    hostname: named("label"),
  });
}
