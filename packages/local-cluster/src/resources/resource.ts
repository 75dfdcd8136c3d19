import type { KubernetesObject } from "../cluster-api.ts";
import type { Column } from "./columns.ts";
import type { Defaults } from "./defaults.ts";
import type { ChangeRule } from "./immutability.ts";
import type { NameFormName } from "./names.ts";
import type { Preparation } from "./preparation.ts";
import type { Rules } from "./rules.ts";

/** What the registry knows of one kind of object: a row of the table in `table.ts`. */
export interface Resource {
  /** API group; "" for the core. */
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  shortNames?: readonly string[];
  namespaced: boolean;
  /** What names have to look like; `subdomain` when left out. */
  nameForm?: NameFormName;
  subresources?: readonly string[];
  /** Fields beside `metadata.name` and `metadata.namespace` that a field selector may name. */
  selectableFields?: readonly string[];
  /** Counts changes of the spec in `metadata.generation`. */
  countsGenerations?: boolean;
  /** Serves the deletion of many at once, as all kinds but Namespaces do. */
  deletesCollections?: false;
  /** The status of a new object, whatever its creator says; rows without it let the creator say. */
  initialStatus?: object;
  /** A delete that is done at once answers with the object, not with a Status. */
  returnsDeleted?: boolean;
  /** Names for groups of kinds: `all` is what `kubectl get all` shows. */
  categories?: readonly string[];
  defaults?: Defaults;
  prepare?: Preparation;
  rules?: Rules;
  changeRules?: readonly ChangeRule[];
  /** Of `kubectl get`; name and age when left out. */
  columns?: readonly Column[];
}

/** `apiVersion` of a resource's objects. */
export function apiVersionOf({ group, version }: Pick<Resource, "group" | "version">): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The store's key of an object. Keys sort by namespace, then name. */
export function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

export function keyOfObject({ metadata }: KubernetesObject): string {
  return keyOf(metadata.namespace ?? "", metadata.name ?? "");
}
