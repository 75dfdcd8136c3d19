import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "@cactus/core/kubernetes";
import { parse, parseAllDocuments } from "yaml";

interface Kustomization {
  resources?: string[];
  patches?: { target: { kind: string; name: string }; patch: string }[];
}

interface Replacement {
  op: "replace";
  path: string;
  value: unknown;
}

const KNOWN_KEYS = ["apiVersion", "kind", "resources", "patches"];

/**
 * Renders the part of kustomize that our laptop overlay uses (files and folders as resources, JSON patches that replace),
 * so that a laptop needs no kubectl to apply the manifests that production applies.
 *
 * @throws {Error} when a kustomization uses anything else: better than to render something different from kubectl
 */
export async function renderKustomization(folder: string): Promise<Manifest[]> {
  const path = join(folder, "kustomization.yaml");
  const kustomization: Kustomization = parse(await readFile(path, "utf8"));
  const unknown = Object.keys(kustomization).filter((key) => !KNOWN_KEYS.includes(key));
  if (unknown.length > 0) throw new Error(`${path} uses ${unknown.join(", ")}, which is not rendered here`);
  const nested = await Promise.all(
    (kustomization.resources ?? []).map((resource) => renderResource(join(folder, resource))),
  );
  const manifests = nested.flat();
  for (const { target, patch } of kustomization.patches ?? []) {
    const object = manifests.find(({ kind, metadata }) => kind === target.kind && metadata.name === target.name);
    if (object === undefined) throw new Error(`${path} patches ${target.kind} ${target.name}, which is not there`);
    for (const operation of parse(patch) as Replacement[]) replace(object, operation);
  }
  return manifests;
}

async function renderResource(path: string): Promise<Manifest[]> {
  if (!path.endsWith(".yaml")) return renderKustomization(path);
  return parseAllDocuments(await readFile(path, "utf8")).map((document) => document.toJS() as Manifest);
}

/** RFC 6902 §4.3, the only operation in use. */
function replace(object: object, { op, path, value }: Replacement): void {
  const keys = path.split("/").slice(1);
  const last = keys.pop();
  const holder = keys.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], object);
  if (op !== "replace" || last === undefined || !(last in ((holder as object | undefined) ?? {}))) {
    throw new Error(`a patch of ${path} (${op}) cannot be applied`);
  }
  (holder as Record<string, unknown>)[last] = value;
}
