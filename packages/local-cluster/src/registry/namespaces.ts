import type { KubernetesObject } from "../cluster-api.ts";
import { keyOf, type Resource } from "../resources/resource.ts";
import { forbidden, notFound } from "../status-error.ts";
import type { Store } from "../store/store.ts";

/** Namespaces that there always are. */
export const builtInNamespaces = ["default", "kube-node-lease", "kube-public", "kube-system"];

const UNDELETABLE = ["default", "kube-public", "kube-system"];

/**
 * Checks that an object's namespace takes new objects.
 *
 * @throws {StatusError} 404 when it does not exist, 403 when it is being deleted
 */
export function checkNamespace(store: Store, resource: Resource, object: KubernetesObject): void {
  if (!resource.namespaced) return;
  const name = object.metadata.namespace ?? "";
  const namespace = store.find("namespaces", keyOf("", name));
  if (namespace === undefined) throw notFound({ group: "", plural: "namespaces" }, name);
  if (namespace.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${name} because it is being terminated`;
  const message = `namespace ${name} is being terminated`;
  throw forbidden(resource, object.metadata.name ?? "", why, [
    { reason: "NamespaceTerminating", message, field: "metadata.namespace" },
  ]);
}

/** @throws {StatusError} 403 for the namespaces that everything needs */
export function checkNamespaceDeletable(resource: Resource, name: string): void {
  if (resource.plural === "namespaces" && UNDELETABLE.includes(name)) {
    throw forbidden(resource, name, "this namespace may not be deleted");
  }
}
