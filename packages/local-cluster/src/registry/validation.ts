import type { KubernetesObject, Subresource } from "../cluster-api.ts";
import { checkMetadata, checkMetadataChange } from "../resources/metadata-rules.ts";
import { type Problem, refuseInvalid } from "../resources/problem.ts";
import type { Resource } from "../resources/resource.ts";
import { checkRules } from "../resources/rules.ts";

/** @throws {StatusError} 422 Invalid with all that is wrong with an object */
export function checkObject(resource: Resource, object: KubernetesObject): void {
  refuse(resource, object, [...checkMetadata(resource, object), ...checkRules(object, resource.rules ?? {})]);
}

/** @throws {StatusError} 422 Invalid with all that is wrong with a change, and with what it leads to */
export function checkChange(
  resource: Resource,
  next: KubernetesObject,
  current: KubernetesObject,
  subresource: Subresource | undefined,
): void {
  const problems = [...checkMetadata(resource, next), ...checkMetadataChange(next.metadata, current.metadata)];
  if (subresource === undefined) {
    problems.push(...checkRules(next, resource.rules ?? {}));
    for (const rule of resource.changeRules ?? []) problems.push(...rule(next, current));
  }
  refuse(resource, next, problems);
}

function refuse(resource: Resource, { metadata }: KubernetesObject, problems: Problem[]): void {
  if (problems.length > 0) throw refuseInvalid(resource, metadata.name ?? "", problems);
}
