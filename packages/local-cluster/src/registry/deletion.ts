import type { DeleteOptions, KubernetesObject, ObjectMeta } from "../cluster-api.ts";
import { isObject } from "../json.ts";
import type { Resource } from "../resources/resource.ts";
import { StatusError } from "../status-error.ts";
import { timestamp } from "./metadata.ts";

const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";
const DEFAULT_GRACE_SECONDS = 30;

/**
 * Checks that the object to delete is the one its caller means.
 *
 * @throws {StatusError} 409 Conflict when it is not
 */
export function checkPreconditions(resource: Resource, current: ObjectMeta, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const refuse = (why: string): StatusError => {
    const details = { name: current.name ?? "", ...(resource.group && { group: resource.group }), kind: resource.kind };
    const subject = `${resource.kind}${resource.group && `.${resource.group}`} "${current.name}"`;
    return new StatusError(409, "Conflict", `Operation cannot be fulfilled on ${subject}: ${why}`, details);
  };
  if (uid !== undefined && uid !== current.uid) {
    const found = `the UID in the precondition (${uid}) does not match the UID in record (${current.uid})`;
    throw refuse(`${found}. The object might have been deleted and then recreated`);
  }
  if (resourceVersion !== undefined && resourceVersion !== current.resourceVersion) {
    const found = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${current.resourceVersion})`;
    throw refuse(`${found}. The object might have been modified`);
  }
}

/** The object as a delete leaves it: marked, with the finalizers that stand for the propagation asked for. */
export function markDeleted(object: KubernetesObject, options: DeleteOptions, now: Date): KubernetesObject {
  const metadata: ObjectMeta = { ...object.metadata };
  const finalizers = finalizersFor(options.propagationPolicy, metadata.finalizers ?? []);
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  const grace = graceSeconds(object, options);
  const earlier = metadata.deletionGracePeriodSeconds;
  // A second delete can only shorten the time that the first one gave.
  if (metadata.deletionTimestamp === undefined || grace < (earlier ?? 0)) {
    metadata.deletionTimestamp = timestamp(new Date(now.getTime() + grace * 1000));
    metadata.deletionGracePeriodSeconds = grace;
    if (metadata.generation !== undefined) metadata.generation += 1;
  }
  if (object.kind !== "Namespace") return { ...object, metadata };
  return { ...object, metadata, status: { ...(isObject(object["status"]) && object["status"]), phase: "Terminating" } };
}

/** Tells whether a marked object has nothing more to wait for. */
export function isFinished({ metadata, kind, ...object }: KubernetesObject): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.deletionGracePeriodSeconds ?? 0) > 0) return false;
  if ((metadata.finalizers ?? []).length > 0) return false;
  const spec = kind === "Namespace" && isObject(object["spec"]) ? object["spec"] : {};
  return !Array.isArray(spec["finalizers"]) || spec["finalizers"].length === 0;
}

function finalizersFor(policy: DeleteOptions["propagationPolicy"], finalizers: string[]): string[] {
  if (policy === undefined) return finalizers;
  const others = finalizers.filter((name) => name !== ORPHAN && name !== FOREGROUND);
  if (policy === "Orphan") return [...others, ORPHAN];
  return policy === "Foreground" ? [...others, FOREGROUND] : others;
}

/** Only a Pod that a node may be running is given time. */
function graceSeconds(object: KubernetesObject, { gracePeriodSeconds }: DeleteOptions): number {
  if (object.kind !== "Pod") return 0;
  const spec = isObject(object["spec"]) ? object["spec"] : {};
  const phase = isObject(object["status"]) ? object["status"]["phase"] : undefined;
  if (!spec["nodeName"] || phase === "Succeeded" || phase === "Failed") return 0;
  const own = spec["terminationGracePeriodSeconds"];
  const seconds = gracePeriodSeconds ?? (typeof own === "number" ? own : DEFAULT_GRACE_SECONDS);
  return seconds < 0 ? 1 : seconds;
}
