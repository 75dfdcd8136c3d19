import type { IncomingMessage } from "node:http";
import type { KubernetesObject } from "../cluster-api.ts";
import { isObject } from "../json.ts";
import { jsonPatch, PatchError } from "../patch/json-patch.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import { strategicMerge } from "../patch/strategic-merge.ts";
import { invalid, refuseInvalid } from "../resources/problem.ts";
import type { Resource } from "../resources/resource.ts";
import { DecodeError, modelOf } from "../schema/decode.ts";
import { badRequest, StatusError } from "../status-error.ts";
import { mediaTypeOf } from "./body.ts";
import { type DecodedObject, decodeObject } from "./decode-object.ts";
import type { FieldValidation } from "./options.ts";

/** Makes the patched object of the current one. */
export type Patch = (current: KubernetesObject) => DecodedObject;

type Apply = (resource: Resource, current: unknown, patch: unknown) => unknown;

const PATCHES: Record<string, Apply> = {
  "application/json-patch+json": (_, current, patch) => {
    if (!Array.isArray(patch)) throw undecodable(patch, "[]handlers.jsonPatchOp");
    return jsonPatch(current, patch);
  },
  "application/merge-patch+json": (_, current, patch) => mergePatch(current, objectOf(patch)),
  "application/strategic-merge-patch+json": ({ kind }, current, patch) =>
    strategicMerge(modelOf(kind), current, objectOf(patch)),
};

/**
 * Reads a patch of one of the three kinds; server-side apply is none of them.
 *
 * @throws {StatusError} 415 for another kind, 400 for what cannot be read; the patch itself throws 422 when it fails
 */
export function readPatch(
  resource: Resource,
  request: IncomingMessage,
  text: string,
  validation: FieldValidation,
): Patch {
  const apply = PATCHES[mediaTypeOf(request)];
  if (apply === undefined) throw unsupportedPatch(mediaTypeOf(request));
  const patch = parsePatch(text);
  return (current) => {
    const patched = applied(() => apply(resource, current, patch));
    try {
      return decodeObject(resource, patched, { validation });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw refuseInvalid({ group: "", kind: "" }, "", [invalid("patch", JSON.stringify(patched), error.message)]);
    }
  };
}

function applied(apply: () => unknown): unknown {
  try {
    return apply();
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {});
  }
}

function parsePatch(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`error decoding patch: ${String(error)}`);
  }
}

function objectOf(patch: unknown): Record<string, unknown> {
  if (!isObject(patch)) throw undecodable(patch, "map[string]interface {}");
  return patch;
}

function undecodable(patch: unknown, goType: string): StatusError {
  const found = Array.isArray(patch) ? "array" : typeof patch;
  return badRequest(`error decoding patch: json: cannot unmarshal ${found} into Go value of type ${goType}`);
}

function unsupportedPatch(mediaType: string): StatusError {
  const accepted = Object.keys(PATCHES).join(", ");
  const message = `patches of type ${mediaType} are not served here - accepted media types include: ${accepted}`;
  return new StatusError(415, "UnsupportedMediaType", message, {});
}
