import type { KubernetesObject } from "../cluster-api.ts";
import { isObject } from "../json.ts";
import { apiVersionOf, type Resource } from "../resources/resource.ts";
import { DecodeError, decode, modelOf } from "../schema/decode.ts";
import { findDuplicateFields } from "../schema/duplicate-fields.ts";
import { badRequest } from "../status-error.ts";
import { parseJson } from "./body.ts";
import type { FieldValidation } from "./options.ts";

export interface DecodedObject {
  object: KubernetesObject;
  /** Unknown and duplicate fields, where they are only warned of. */
  warnings: string[];
}

/**
 * Reads an object from a request's body.
 *
 * @throws {StatusError} 400 BadRequest for what is no such object, under strict validation also for fields it has not
 */
export function decodeBody(resource: Resource, text: string, validation: FieldValidation): DecodedObject {
  const sent = parseJson(text, resource.kind);
  const { apiVersion, kind } = checkKind(resource, sent);
  try {
    const duplicates = validation === "Ignore" ? [] : findDuplicateFields(text);
    return decodeObject(resource, sent, { validation, duplicates });
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw badRequest(`${kind} in version "${apiVersion}" cannot be handled as a ${resource.kind}: ${error.message}`);
  }
}

/** @throws {DecodeError} for what is no such object, under strict validation also for fields it has not */
export function decodeObject(
  resource: Resource,
  sent: unknown,
  options: { validation: FieldValidation; duplicates?: string[] },
): DecodedObject {
  const { value, unknown } = decode(modelOf(resource.kind), sent);
  const problems = [
    ...unknown.map((path) => `unknown field "${path}"`),
    ...(options.duplicates ?? []).map((path) => `duplicate field "${path}"`),
  ];
  if (options.validation === "Strict" && problems.length > 0) {
    throw new DecodeError(`strict decoding error: ${problems.join(", ")}`);
  }
  const metadata = isObject(value["metadata"]) ? value["metadata"] : {};
  const object = { ...value, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata };
  return { object, warnings: options.validation === "Warn" ? problems : [] };
}

function checkKind(resource: Resource, sent: unknown): { apiVersion: string; kind: string } {
  const wanted = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  if (!isObject(sent)) return wanted;
  const kind = String(sent["kind"] ?? wanted.kind);
  const apiVersion = String(sent["apiVersion"] ?? wanted.apiVersion);
  if (kind === wanted.kind && apiVersion === wanted.apiVersion) return wanted;
  throw badRequest(
    `${kind} in version "${apiVersion}" cannot be handled as a ${wanted.kind}: no kind "${kind}" is registered for version "${apiVersion}"`,
  );
}
