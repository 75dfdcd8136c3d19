import { randomInt } from "node:crypto";
import type { KubernetesObject } from "../cluster-api.ts";
import { findAt, isObject, type JsonObject } from "../json.ts";
import type { Store } from "../store/store.ts";

/** Completes a new or changed object where a default alone will not do. Changes the object that it is given. */
export type Preparation = (next: KubernetesObject, current: KubernetesObject | undefined, store: Store) => void;

const RANGE_PREFIX = "10.96";
const RANGE_SIZE = 65_534;

/** Gives a Service an address of its own, which it then keeps. */
export function prepareService(next: KubernetesObject, current: KubernetesObject | undefined, store: Store): void {
  const spec = partOf(next, "spec");
  if (spec["type"] === "ExternalName") return;
  const wanted = spec["clusterIP"] ?? findAt(current, "spec.clusterIP") ?? freeClusterIp(store);
  spec["clusterIP"] = wanted;
  // A change of the one asks for a change of the other.
  if (!Array.isArray(spec["clusterIPs"]) || spec["clusterIPs"][0] !== wanted) spec["clusterIPs"] = [wanted];
}

function freeClusterIp(store: Store): string {
  const taken = new Set(store.list("services").map((service) => findAt(service, "spec.clusterIP")));
  for (;;) {
    const number = randomInt(1, RANGE_SIZE + 1);
    const address = `${RANGE_PREFIX}.${number >> 8}.${number & 255}`;
    if (!taken.has(address)) return address;
  }
}

/** Moves the write-only `stringData` into `data`. */
export function prepareSecret(next: KubernetesObject): void {
  const { stringData, ...secret } = next;
  if (!isObject(stringData)) return;
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(String(text)).toString("base64")]);
  next["data"] = { ...(isObject(secret["data"]) && secret["data"]), ...Object.fromEntries(encoded) };
  delete next["stringData"];
}

/** Labels a Namespace with its name, and keeps a new one from going before what is in it. */
export function prepareNamespace(next: KubernetesObject, current: KubernetesObject | undefined): void {
  next.metadata.labels = { ...next.metadata.labels, "kubernetes.io/metadata.name": next.metadata.name ?? "" };
  if (current === undefined) next["spec"] = { finalizers: ["kubernetes"] };
}

function partOf(object: KubernetesObject, field: string): JsonObject {
  const part = object[field];
  return isObject(part) ? part : {};
}
