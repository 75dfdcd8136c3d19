import type { KubernetesObject, ObjectMeta } from "../cluster-api.ts";
import { faultsOfKey, faultsOfName } from "./names.ts";
import { forbiddenChange, invalid, type Problem, required } from "./problem.ts";
import type { Resource } from "./resource.ts";

const STANDARD_FINALIZERS = ["kubernetes", "orphan", "foregroundDeletion"];
const ANNOTATIONS_LIMIT = 256 * 1024;

/** What is wrong with an object's metadata. */
export function checkMetadata(resource: Resource, { metadata }: KubernetesObject): Problem[] {
  return [
    ...checkName(resource, metadata),
    ...Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => [
      ...faultsOfKey(key).map((fault) => invalid("metadata.labels", key, fault)),
      ...faultsOfName(value, "labelValue").map((fault) => invalid("metadata.labels", value, fault)),
    ]),
    ...checkAnnotations(metadata.annotations ?? {}),
    ...checkOwners(metadata),
    ...(metadata.finalizers ?? []).flatMap(checkFinalizer),
  ];
}

/** What is wrong with a change of metadata. */
export function checkMetadataChange(next: ObjectMeta, current: ObjectMeta): Problem[] {
  if (current.deletionTimestamp === undefined) return [];
  const added = (next.finalizers ?? []).filter((name) => !current.finalizers?.includes(name));
  if (added.length === 0) return [];
  const list = added.map((name) => JSON.stringify(name)).join(", ");
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
  return [forbiddenChange("metadata.finalizers", why)];
}

function checkName(resource: Resource, { name = "", generateName }: ObjectMeta): Problem[] {
  if (name === "") return [required("metadata.name", "name or generateName is required")];
  const field =
    generateName !== undefined && !name.startsWith(generateName) ? "metadata.generateName" : "metadata.name";
  if (resource.kind === "Namespace" && name.includes(".")) return [invalid(field, name, "must not contain dots")];
  return faultsOfName(name, resource.nameForm ?? "subdomain").map((fault) => invalid(field, name, fault));
}

function checkAnnotations(annotations: Record<string, string>): Problem[] {
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  const field = "metadata.annotations";
  return [
    ...Object.keys(annotations).flatMap((key) =>
      faultsOfKey(key.toLowerCase()).map((fault) => invalid(field, key, fault)),
    ),
    ...(size > ANNOTATIONS_LIMIT
      ? [{ field, type: "Too long", detail: `may not be more than ${ANNOTATIONS_LIMIT} bytes` } as const]
      : []),
  ];
}

function checkOwners({ ownerReferences = [] }: ObjectMeta): Problem[] {
  const field = "metadata.ownerReferences";
  const empty = ownerReferences.flatMap(({ apiVersion, kind, name, uid }) => [
    ...(apiVersion ? [] : [invalid(`${field}.apiVersion`, "", "version must not be empty")]),
    ...(kind ? [] : [invalid(`${field}.kind`, "", "must not be empty")]),
    ...(name ? [] : [invalid(`${field}.name`, "", "must not be empty")]),
    ...(uid ? [] : [invalid(`${field}.uid`, "", "must not be empty")]),
  ]);
  const controllers = ownerReferences.filter(({ controller }) => controller);
  if (controllers.length < 2) return empty;
  const why = "Only one reference can have Controller set to true. Found";
  const names = controllers.map(({ kind, name }) => `${kind}/${name}`).join(" and ");
  return [...empty, invalid(field, ownerReferences, `${why} "true" in references for ${names}`)];
}

function checkFinalizer(name: string, index: number): Problem[] {
  const field = `metadata.finalizers[${index}]`;
  const faults = faultsOfKey(name);
  if (faults.length > 0) return faults.map((fault) => invalid(field, name, fault));
  return name.includes("/") || STANDARD_FINALIZERS.includes(name)
    ? []
    : [invalid(field, name, "name is neither a standard finalizer name nor is it fully qualified")];
}
