import { isDeepStrictEqual } from "node:util";
import type { KubernetesObject } from "../cluster-api.ts";
import { findAt, isObject, type JsonObject } from "../json.ts";
import { placesAt } from "./places.ts";
import { forbiddenChange, invalid, type Problem } from "./problem.ts";

/** Says what is wrong with a change. */
export type ChangeRule = (next: KubernetesObject, current: KubernetesObject) => Problem[];

/** Allows no change of a part but of some fields in it (by pattern). */
function onlyChanging(part: string, changeable: readonly string[], why: string): ChangeRule {
  const without = (object: KubernetesObject): unknown => {
    const copy = structuredClone(object);
    for (const pattern of changeable) {
      for (const { parent, field } of placesAt(copy, `${part}.${pattern}`)) delete parent[field];
    }
    return findAt(copy, part);
  };
  return (next, current) => (isDeepStrictEqual(without(next), without(current)) ? [] : [forbiddenChange(part, why)]);
}

/** Allows no change of a field. */
export function never(field: string, why = "field is immutable"): ChangeRule {
  return (next, current) => {
    const value = findAt(next, field);
    return isDeepStrictEqual(value, findAt(current, field)) ? [] : [invalid(field, value, why)];
  };
}

/** Once `immutable` is set, it and the data stay as they are. */
export const frozenData: ChangeRule = (next, current) => {
  if (current["immutable"] !== true) return [];
  const fields = ["immutable", "data", "binaryData"];
  const changed = fields.filter((field) => !isDeepStrictEqual(next[field], current[field]));
  return changed.map((field) => forbiddenChange(field, "field is immutable when `immutable` is set"));
};

/** A Service keeps its address, unless it stops or starts being a mere name. */
export const keptClusterIp: ChangeRule = (next, current) => {
  const [spec, old] = [specOf(next), specOf(current)];
  if (spec["type"] === "ExternalName" || old["type"] === "ExternalName") return [];
  return spec["clusterIP"] === old["clusterIP"]
    ? []
    : [invalid("spec.clusterIPs[0]", spec["clusterIPs"], "may not change once set")];
};

function specOf(object: KubernetesObject): JsonObject {
  return isObject(object["spec"]) ? object["spec"] : {};
}

const POD_CHANGES =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

export const podChange = onlyChanging(
  "spec",
  ["containers[].image", "initContainers[].image", "activeDeadlineSeconds", "tolerations"],
  POD_CHANGES,
);

const STATEFUL_SET_CHANGES =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

export const statefulSetChange = onlyChanging(
  "spec",
  [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
  ],
  STATEFUL_SET_CHANGES,
);
