import { isObject } from "../json.ts";

import { invalid, type Problem, required } from "./problem.ts";
import { isPort, named, needed, type Rule, type Rules, rulesUnder, unsupported } from "./rules.ts";

const PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"];
const BAD_SEQUENCES = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDINGS = ["/..", "/."];

const hasRulesOrBackend: Rule = (spec, { path }) =>
  isObject(spec) && spec["defaultBackend"] === undefined && spec["rules"] === undefined
    ? [invalid(path, spec["rules"], "either `defaultBackend` or `rules` must be specified")]
    : [];

/** Exact and Prefix paths are paths; what an ImplementationSpecific one is, its controller decides (a regex, say). */
const isPath: Rule = (value, place) => {
  const type = place.parent["pathType"];
  const path = typeof value === "string" ? value : "";
  if (type === "ImplementationSpecific") {
    return path === "" || path.startsWith("/") ? [] : [invalid(place.path, path, "must be an absolute path")];
  }
  if (type !== "Exact" && type !== "Prefix") return [];
  if (!path.startsWith("/")) return [invalid(place.path, path, "must be an absolute path")];
  const contained = BAD_SEQUENCES.filter((sequence) => path.includes(sequence));
  const ended = BAD_ENDINGS.filter((ending) => path.endsWith(ending));
  return [
    ...contained.map((sequence) => invalid(place.path, path, `must not contain '${sequence}'`)),
    ...ended.map((ending) => invalid(place.path, path, `cannot end with '${ending}'`)),
  ];
};

const isPathType: Rule = (value, { path }) => {
  if (value === undefined) return [required(path, "pathType must be specified")];
  return PATH_TYPES.includes(String(value)) ? [] : [unsupported(path, value, PATH_TYPES)];
};

const hasPort: Rule = (backend, { path }): Problem[] => {
  if (!isObject(backend)) return [];
  const { service, resource } = backend;
  if (!isObject(service))
    return resource === undefined ? [required(path, "service or resource backend is required")] : [];
  const port = isObject(service["port"]) ? service["port"] : {};
  if (port["name"] === undefined && !port["number"]) return [required(path, "port name or number is required")];
  return port["name"] !== undefined && port["number"]
    ? [invalid(path, "", "cannot set both port name & port number")]
    : [];
};

const backendRules: Rules = {
  "service.name": [needed(), named("label")],
  "service.port.number": isPort,
};

const isHost: Rule = (host, place, object) => {
  if (typeof host !== "string" || host.startsWith("*.")) return [];
  return /^[\d.]+$/.test(host)
    ? [invalid(place.path, host, "must be a DNS name, not an IP address")]
    : named("subdomain")(host, place, object);
};

export const ingressRules: Rules = {
  spec: hasRulesOrBackend,
  "spec.tls[].secretName": named("subdomain"),
  "spec.defaultBackend": hasPort,
  ...rulesUnder("spec.defaultBackend", backendRules),
  "spec.rules[].host": isHost,
  "spec.rules[].http.paths": needed(),
  "spec.rules[].http.paths[].path": isPath,
  "spec.rules[].http.paths[].pathType": isPathType,
  "spec.rules[].http.paths[].backend": [needed(), hasPort],
  ...rulesUnder("spec.rules[].http.paths[].backend", backendRules),
};
