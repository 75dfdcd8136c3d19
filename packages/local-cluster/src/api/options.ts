import type { DeleteOptions } from "../cluster-api.ts";
import { isObject } from "../json.ts";
import { forbiddenChange, type Problem, refuseInvalid } from "../resources/problem.ts";
import { unsupported } from "../resources/rules.ts";
import { badRequest, type StatusError } from "../status-error.ts";

export type FieldValidation = "Ignore" | "Warn" | "Strict";

export interface WriteParameters {
  dryRun: boolean;
  fieldValidation: FieldValidation;
}

const VALIDATIONS = ["", "Ignore", "Strict", "Warn"];
const MATCH = "resourceVersionMatch";
const MATCHES = ["Exact", "NotOlderThan"];
const POLICIES = ["Foreground", "Background", "Orphan"];

/** @throws {StatusError} 422 Invalid, in the name of the options' kind (`CreateOptions`, …) */
export function parseWriteParameters(query: URLSearchParams, kind: string): WriteParameters {
  const problems: Problem[] = [];
  const dryRuns = query.getAll("dryRun");
  if (dryRuns.some((value) => value !== "All")) problems.push(unsupported("dryRun", dryRuns, ["All"]));
  const validation = query.get("fieldValidation") ?? "";
  if (!VALIDATIONS.includes(validation)) problems.push(unsupported("fieldValidation", validation, VALIDATIONS));
  if (problems.length > 0) throw invalidOptions(kind, problems);
  return { dryRun: dryRuns.length > 0, fieldValidation: isValidation(validation) ? validation : "Warn" };
}

function isValidation(text: string): text is FieldValidation {
  return text !== "";
}

export interface DeleteParameters extends DeleteOptions {
  dryRun: boolean;
}

/**
 * Reads what a delete is asked for in its body or in its query; the body counts more.
 *
 * @throws {StatusError} 400 or 422 for what cannot be
 */
export function parseDeleteParameters(query: URLSearchParams, body: unknown): DeleteParameters {
  const sent = isObject(body) ? body : {};
  const preconditions = isObject(sent["preconditions"]) ? sent["preconditions"] : undefined;
  const policy = sent["propagationPolicy"] ?? query.get("propagationPolicy") ?? undefined;
  if (policy !== undefined && !POLICIES.includes(String(policy))) {
    throw invalidOptions("DeleteOptions", [unsupported("propagationPolicy", policy, [...POLICIES, "nil"])]);
  }
  const grace = sent["gracePeriodSeconds"] ?? integer(query, "gracePeriodSeconds");
  const dryRun = Array.isArray(sent["dryRun"]) ? sent["dryRun"] : query.getAll("dryRun");
  return {
    dryRun: dryRun.includes("All"),
    ...(policy !== undefined && { propagationPolicy: policy as NonNullable<DeleteOptions["propagationPolicy"]> }),
    ...(typeof grace === "number" && { gracePeriodSeconds: grace }),
    ...(preconditions !== undefined && { preconditions }),
  };
}

export interface ListParameters {
  labelSelector: string;
  fieldSelector: string;
  limit: number;
  continue: string;
  /** "" where the newest is wanted. */
  resourceVersion: string;
  resourceVersionMatch: string;
  watch: boolean;
  allowWatchBookmarks: boolean;
  sendInitialEvents: boolean | undefined;
  timeoutSeconds: number | undefined;
}

/** @throws {StatusError} 400 or 422 for what cannot be */
export function parseListParameters(query: URLSearchParams): ListParameters {
  const initial = query.get("sendInitialEvents");
  const parameters: ListParameters = {
    labelSelector: query.get("labelSelector") ?? "",
    fieldSelector: query.get("fieldSelector") ?? "",
    limit: integer(query, "limit") ?? 0,
    continue: query.get("continue") ?? "",
    resourceVersion: query.get("resourceVersion") ?? "",
    resourceVersionMatch: query.get("resourceVersionMatch") ?? "",
    watch: truth(query, "watch"),
    allowWatchBookmarks: truth(query, "allowWatchBookmarks"),
    sendInitialEvents: initial === null ? undefined : truth(query, "sendInitialEvents"),
    timeoutSeconds: integer(query, "timeoutSeconds"),
  };
  const problems = parameters.watch ? checkWatchVersion(parameters) : checkListVersion(parameters);
  if (problems.length > 0) throw invalidOptions("ListOptions", problems);
  return parameters;
}

function checkListVersion({ resourceVersionMatch, resourceVersion, sendInitialEvents }: ListParameters): Problem[] {
  if (sendInitialEvents !== undefined) {
    return [forbiddenChange("sendInitialEvents", "sendInitialEvents is forbidden for list")];
  }
  if (resourceVersionMatch === "") return [];
  if (resourceVersion === "") {
    return [forbiddenChange(MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided")];
  }
  return MATCHES.includes(resourceVersionMatch) ? [] : [unsupported(MATCH, resourceVersionMatch, [...MATCHES, ""])];
}

function checkWatchVersion({ resourceVersionMatch, sendInitialEvents }: ListParameters): Problem[] {
  if (sendInitialEvents === undefined) {
    const why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
    return resourceVersionMatch === "" ? [] : [forbiddenChange(MATCH, why)];
  }
  const why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
  return resourceVersionMatch === "NotOlderThan" ? [] : [forbiddenChange(MATCH, why)];
}

function invalidOptions(kind: string, problems: Problem[]): StatusError {
  return refuseInvalid({ group: "meta.k8s.io", kind }, "", problems);
}

/** As Go reads a truth from a query: there, and not one of the two words for no. */
function truth(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== "0" && value.toLowerCase() !== "false";
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === "") return undefined;
  if (!/^-?\d+$/.test(value)) throw badRequest(`strconv.ParseInt: parsing "${value}": invalid syntax`);
  return Number(value);
}
