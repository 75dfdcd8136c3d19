import type { KubernetesObject } from "../cluster-api.ts";
import { isObject } from "../json.ts";
import { inScope, type Scope } from "../registry/watch.ts";
import { apiVersionOf, keyOfObject, type Resource } from "../resources/resource.ts";
import { badRequest, expired, StatusError } from "../status-error.ts";
import { parseFieldSelector, parseLabelSelector } from "../store/selectors.ts";
import type { Store } from "../store/store.ts";
import type { ListParameters } from "./options.ts";

export interface ObjectList {
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: KubernetesObject[];
}

const TOO_OLD_TO_CONTINUE =
  "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.";

/** Which objects a request about a collection means. */
export function scopeOf(resource: Resource, namespace: string, parameters: ListParameters): Scope {
  const byLabels = parseLabelSelector(parameters.labelSelector);
  const byFields = parseFieldSelector(parameters.fieldSelector, resource.selectableFields ?? []);
  return { namespace, selector: (object) => byLabels(object) && byFields(object) };
}

/** A page of objects, all as they were at one moment: that of the first page. */
export function listObjects(store: Store, resource: Resource, scope: Scope, parameters: ListParameters): ObjectList {
  const { version, after } = startOf(store, parameters);
  const all = atVersion(store, resource, version, parameters).filter(inScope(scope));
  const rest = after === undefined ? all : all.filter((object) => keyOfObject(object) > after);
  const items = parameters.limit > 0 ? rest.slice(0, parameters.limit) : rest;
  const last = items.at(-1);
  const metadata: ObjectList["metadata"] = { resourceVersion: String(version) };
  if (last !== undefined && items.length < rest.length) {
    metadata.continue = formatToken({ version, after: keyOfObject(last) });
    const isFiltered = parameters.labelSelector !== "" || parameters.fieldSelector !== "";
    if (!isFiltered) metadata.remainingItemCount = rest.length - items.length;
  }
  return { metadata, items };
}

/** The JSON of a list. Its items do not tell their kind, as the real server's do not. */
export function formatList(resource: Resource, { metadata, items }: ObjectList): string {
  const bare = items.map(({ apiVersion: _, kind: __, ...item }) => item);
  return JSON.stringify({ kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata, items: bare });
}

/**
 * Reads the resourceVersion of a request.
 *
 * @throws {StatusError} 504 Timeout for one that is still to come
 */
export function parseVersion(store: Store, text: string): number {
  if (!/^\d+$/.test(text)) {
    const why = `strconv.ParseUint: parsing "${text}": invalid syntax`;
    throw badRequest(`invalid resource version: resourceVersion: Invalid value: "${text}": ${why}`);
  }
  const version = Number(text);
  if (version <= store.version) return version;
  const message = `Timeout: Too large resource version: ${version}, current: ${store.version}`;
  const causes = [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }];
  throw new StatusError(504, "Timeout", message, { causes, retryAfterSeconds: 1 });
}

interface Start {
  version: number;
  /** The key that the page before ended with. */
  after?: string | undefined;
}

function startOf(store: Store, parameters: ListParameters): Start {
  if (parameters.continue !== "") return parseToken(parameters.continue);
  const version = parameters.resourceVersion === "" ? store.version : parseVersion(store, parameters.resourceVersion);
  return { version: parameters.resourceVersionMatch === "Exact" ? version : store.version };
}

function atVersion(store: Store, resource: Resource, version: number, parameters: ListParameters): KubernetesObject[] {
  try {
    return store.list(resource.plural, version);
  } catch (error) {
    if (!(error instanceof StatusError && error.code === 410)) throw error;
    const continues = parameters.continue !== "";
    throw expired(continues ? TOO_OLD_TO_CONTINUE : "The resourceVersion for the provided list is too old.");
  }
}

function formatToken({ version, after }: Start): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: version, start: after })).toString("base64url");
}

function parseToken(token: string): Start {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (isObject(parsed) && typeof parsed["rv"] === "number" && typeof parsed["start"] === "string") {
      return { version: parsed["rv"], after: parsed["start"] };
    }
  } catch {
    // Falls through to the refusal: what cannot be read is not ours.
  }
  throw badRequest("invalid continue token: continue key is not valid");
}
