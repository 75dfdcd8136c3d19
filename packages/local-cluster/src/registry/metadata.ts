import { randomInt, randomUUID } from "node:crypto";
import type { KubernetesObject, ObjectMeta } from "../cluster-api.ts";
import type { Resource } from "../resources/resource.ts";
import { apiVersionOf } from "../resources/resource.ts";
import { conflict } from "../status-error.ts";

/** Letters of generated names: no vowels, so no words. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH = 5;
const LONGEST_GENERATED = 63;

const stale = "the object has been modified; please apply your changes to the latest version and try again";

/** A random suffix such as `x7k2m`, as the API server and its controllers add to names. */
function randomSuffix(length = SUFFIX_LENGTH): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}

/** The wire form of a time: RFC 3339 in whole seconds, UTC. */
export function timestamp(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** Completes what a creator sends: type, name (generated where asked for), identity, birth. */
export function newObject(resource: Resource, sent: KubernetesObject, now: Date): KubernetesObject {
  const { resourceVersion: _, managedFields: __, deletionTimestamp: ___, ...metadata } = sent.metadata;
  const { deletionGracePeriodSeconds: _grace, selfLink: _link, generation: _generation, ...kept } = metadata;
  if (!kept.name && kept.generateName) {
    kept.name = kept.generateName.slice(0, LONGEST_GENERATED - SUFFIX_LENGTH) + randomSuffix();
  }
  const object: KubernetesObject = {
    ...sent,
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: {
      ...kept,
      uid: randomUUID(),
      ...(resource.countsGenerations && { generation: 1 }),
      creationTimestamp: timestamp(now),
    },
  };
  if (resource.initialStatus !== undefined) object["status"] = resource.initialStatus;
  return object;
}

/**
 * The metadata after an update: what only the server may say stays as it was.
 *
 * @throws {StatusError} 409 Conflict when the update is about an older version, or about another object of this name
 */
export function updatedMetadata(resource: Resource, sent: ObjectMeta, current: ObjectMeta): ObjectMeta {
  const name = current.name ?? "";
  if (sent.resourceVersion && sent.resourceVersion !== current.resourceVersion) throw conflict(resource, name, stale);
  if (sent.uid && sent.uid !== current.uid) {
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${sent.uid}, UID in object meta: ${current.uid}`,
    );
  }
  const { labels, annotations, finalizers, ownerReferences } = sent;
  const { labels: _, annotations: __, finalizers: ___, ownerReferences: ____, ...kept } = current;
  return {
    ...kept,
    ...(labels !== undefined && { labels }),
    ...(annotations !== undefined && { annotations }),
    ...(ownerReferences !== undefined && { ownerReferences }),
    ...(finalizers !== undefined && { finalizers }),
  };
}
