import type { KubernetesObject } from "../cluster-api.ts";
import { textOf } from "../json.ts";
import type { Registry } from "../registry/registry.ts";
import { sendJson } from "./answer.ts";
import type { Call } from "./call.ts";
import { formatList, listObjects, parseVersion, scopeOf } from "./lists.ts";
import { type ListParameters, parseListParameters } from "./options.ts";
import { formatTable, wantsTable } from "./tables.ts";
import { streamWatch } from "./watches.ts";

export function getObject({ request, response, resource, namespace, name, query }: Call, registry: Registry): void {
  const object = registry.get(resource, namespace, name);
  const { resourceVersion } = object.metadata;
  const includeObject = query.get("includeObject");
  const text = wantsTable(request)
    ? formatTable(resource, [object], { metadata: { resourceVersion }, includeObject, now: now() })
    : textOf(object);
  sendJson(response, 200, text);
}

export function listOrWatch(call: Call, registry: Registry): void {
  const parameters = parseListParameters(call.query);
  if (parameters.watch) watchObjects(call, registry, parameters);
  else sendList(call, registry, parameters);
}

function sendList(call: Call, registry: Registry, parameters: ListParameters): void {
  const { request, response, resource, namespace, query } = call;
  const scope = scopeOf(resource, namespace, parameters);
  const list = listObjects(registry.store, resource, scope, parameters);
  const includeObject = query.get("includeObject");
  const text = wantsTable(request)
    ? formatTable(resource, list.items, { metadata: list.metadata, includeObject, now: now() })
    : formatList(resource, list);
  sendJson(response, 200, text);
}

function watchObjects(
  { request, response, resource, namespace, query }: Call,
  { store }: Registry,
  parameters: ListParameters,
): void {
  // Said by its status while there is still one to give.
  if (parameters.resourceVersion !== "") parseVersion(store, parameters.resourceVersion);
  const scope = scopeOf(resource, namespace, parameters);
  let withColumns = true;
  const format = (object: KubernetesObject): string => {
    const { resourceVersion } = object.metadata;
    const options = {
      metadata: { resourceVersion },
      includeObject: query.get("includeObject"),
      withColumns,
      now: now(),
    };
    withColumns = false;
    return formatTable(resource, [object], options);
  };
  streamWatch({ response, store, resource, scope, parameters, format: wantsTable(request) ? format : undefined });
}

function now(): Date {
  return new Date();
}
