import type { KubernetesObject, Subresource } from "../cluster-api.ts";
import { textOf } from "../json.ts";
import type { Deleted, Registry } from "../registry/registry.ts";
import type { Resource } from "../resources/resource.ts";
import { badRequest } from "../status-error.ts";
import { addWarnings, sendJson } from "./answer.ts";
import { parseJson, readBody, readObject } from "./body.ts";
import type { Call } from "./call.ts";
import { decodeBody } from "./decode-object.ts";
import { formatList, listObjects, scopeOf } from "./lists.ts";
import { parseDeleteParameters, parseListParameters, parseWriteParameters } from "./options.ts";
import { readPatch } from "./patches.ts";

export async function createObject(call: Call, registry: Registry): Promise<void> {
  const { request, response, resource, query } = call;
  const { dryRun, fieldValidation } = parseWriteParameters(query, "CreateOptions");
  const { object, warnings } = decodeBody(resource, await readObject(request), fieldValidation);
  setNamespace(call, object);
  const created = registry.create(resource, object, { dryRun });
  addWarnings(response, warnings);
  sendJson(response, 201, textOf(created));
}

export async function replaceObject(call: Call, registry: Registry): Promise<void> {
  const { request, response, resource, query } = call;
  const { dryRun, fieldValidation } = parseWriteParameters(query, "UpdateOptions");
  const { object, warnings } = decodeBody(resource, await readObject(request), fieldValidation);
  setNamespace(call, object);
  checkName(call, object);
  const updated = registry.update(resource, call, () => object, { dryRun, subresource: subresourceOf(call) });
  addWarnings(response, warnings);
  sendJson(response, 200, textOf(updated));
}

export async function patchObject(call: Call, registry: Registry): Promise<void> {
  const { request, response, resource, query } = call;
  const { dryRun, fieldValidation } = parseWriteParameters(query, "PatchOptions");
  const patch = readPatch(resource, request, await readBody(request), fieldValidation);
  let warnings: string[] = [];
  const change = (current: KubernetesObject): KubernetesObject => {
    const patched = patch(current);
    warnings = patched.warnings;
    checkName(call, patched.object);
    return patched.object;
  };
  const updated = registry.update(resource, call, change, { dryRun, subresource: subresourceOf(call) });
  addWarnings(response, warnings);
  sendJson(response, 200, textOf(updated));
}

export async function deleteObject(call: Call, registry: Registry): Promise<void> {
  const { request, response, resource, query } = call;
  const body = await readBody(request);
  const options = parseDeleteParameters(query, body === "" ? undefined : parseJson(body, "DeleteOptions"));
  const deleted = registry.delete(resource, call, options);
  sendJson(response, 200, JSON.stringify(answerToDelete(resource, deleted)));
}

export async function deleteCollection(call: Call, registry: Registry): Promise<void> {
  const { request, response, resource, namespace, query } = call;
  const body = await readBody(request);
  const options = parseDeleteParameters(query, body === "" ? undefined : parseJson(body, "DeleteOptions"));
  const parameters = parseListParameters(query);
  const list = listObjects(registry.store, resource, scopeOf(resource, namespace, parameters), parameters);
  for (const { metadata } of list.items) {
    registry.delete(resource, { namespace: metadata.namespace ?? "", name: metadata.name ?? "" }, options);
  }
  sendJson(response, 200, formatList(resource, list));
}

/** What a delete answers: the object where it stays for a while (and always for some kinds), else only that it is gone. */
function answerToDelete(resource: Resource, { object, gone }: Deleted): object {
  if (!gone || resource.returnsDeleted) return object;
  const { name, uid } = object.metadata;
  const details = { name, ...(resource.group !== "" && { group: resource.group }), kind: resource.plural, uid };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}

function subresourceOf({ subresource }: Call): Subresource | undefined {
  return subresource === "status" || subresource === "finalize" ? subresource : undefined;
}

function setNamespace({ resource, namespace }: Call, { metadata }: KubernetesObject): void {
  if (!resource.namespaced) delete metadata.namespace;
  else if (!metadata.namespace) metadata.namespace = namespace;
  else if (metadata.namespace !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
}

function checkName({ name }: Call, { metadata }: KubernetesObject): void {
  if (metadata.name === name) return;
  throw badRequest(`the name of the object (${metadata.name ?? ""}) does not match the name on the URL (${name})`);
}
