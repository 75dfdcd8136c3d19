import type { IncomingMessage, ServerResponse } from "node:http";
import { apiVersionOf, type Resource } from "../resources/resource.ts";
import { resources } from "../resources/table.ts";
import { sendJson } from "./answer.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const PROXY_VERBS = ["create", "delete", "get", "patch", "update"];
const STATUS_VERBS = ["get", "patch", "update"];
const AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/** The kind that a subresource speaks of, where it is not the resource's own. */
const SUBRESOURCES: Record<string, { verbs: string[]; kind?: string; group?: string }> = {
  status: { verbs: STATUS_VERBS },
  scale: { verbs: STATUS_VERBS, kind: "Scale", group: "autoscaling" },
  finalize: { verbs: ["update"] },
  log: { verbs: ["get"] },
  proxy: { verbs: PROXY_VERBS },
};

const groups = [...new Set(resources.map(({ group }) => group))];
const namedGroups = groups.filter((group) => group !== "").map(describeGroup);

/** Documents by path: what `/api`, `/apis` and all below them say of what is served. */
const documents = new Map<string, object>([
  ["/api", { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] }],
  ["/apis", { kind: "APIGroupList", apiVersion: "v1", groups: namedGroups }],
  ["/api/v1", describeVersion("", "v1")],
  ...namedGroups.map((group): [string, object] => [
    `/apis/${group.name}`,
    { kind: "APIGroup", apiVersion: "v1", ...group },
  ]),
  ...namedGroups.map(({ name }): [string, object] => [`/apis/${name}/v1`, describeVersion(name, "v1")]),
]);

const aggregated = new Map<string, object>([
  ["/api", describeAggregated([""])],
  ["/apis", describeAggregated(groups.filter((group) => group !== ""))],
]);

/** Answers requests for discovery; says false to all others. */
export function answerDiscovery(request: IncomingMessage, response: ServerResponse, path: string): boolean {
  const wantsAggregated =
    request.headers.accept?.includes("as=APIGroupDiscoveryList") && /;\s*v=v2\b/.test(request.headers.accept);
  const whole = wantsAggregated ? aggregated.get(path) : undefined;
  const document = whole ?? documents.get(path);
  if (document === undefined) return false;
  const text = JSON.stringify(document);
  if (whole === undefined) sendJson(response, 200, text);
  else response.writeHead(200, { "content-type": AGGREGATED, "content-length": Buffer.byteLength(text) }).end(text);
  return true;
}

function describeGroup(name: string): { name: string; versions: object[]; preferredVersion: object } {
  const version = { groupVersion: `${name}/v1`, version: "v1" };
  return { name, versions: [version], preferredVersion: version };
}

function verbsOf({ deletesCollections }: Resource): string[] {
  return VERBS.filter((verb) => verb !== "deletecollection" || deletesCollections !== false);
}

function resourcesOf(group: string): Resource[] {
  return resources.filter((resource) => resource.group === group);
}

function describeVersion(group: string, version: string): object {
  const entries = resourcesOf(group).flatMap((resource) => {
    const { plural: name, singular: singularName, namespaced, kind, shortNames, categories } = resource;
    const subresources = (resource.subresources ?? []).map((subresource) => {
      const { verbs, kind: other = kind, group: otherGroup } = SUBRESOURCES[subresource] ?? { verbs: [] };
      const foreign = otherGroup === undefined ? {} : { group: otherGroup, version: "v1" };
      return { name: `${name}/${subresource}`, singularName: "", namespaced, ...foreign, kind: other, verbs };
    });
    return [
      { name, singularName, namespaced, kind, verbs: verbsOf(resource), shortNames, categories },
      ...subresources,
    ];
  });
  const groupVersion = apiVersionOf({ group, version });
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: entries };
}

function describeAggregated(names: readonly string[]): object {
  const items = names.map((group) => ({
    metadata: { name: group, creationTimestamp: null },
    versions: [{ version: "v1", resources: resourcesOf(group).map(describeResource), freshness: "Current" }],
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

function describeResource(resource: Resource): object {
  const { group, version, kind, plural, singular, namespaced, shortNames, categories } = resource;
  const subresources = (resource.subresources ?? []).map((subresource) => {
    const { verbs, kind: other = kind, group: otherGroup = group } = SUBRESOURCES[subresource] ?? { verbs: [] };
    return { subresource, responseKind: { group: otherGroup, version, kind: other }, verbs };
  });
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs: verbsOf(resource),
    shortNames,
    categories,
    ...(subresources.length > 0 && { subresources }),
  };
}
