import type { IncomingMessage } from "node:http";
import type { KubernetesObject } from "../cluster-api.ts";
import { plainColumns } from "../resources/columns.ts";
import type { Resource } from "../resources/resource.ts";

/** Tells whether a client wants rows to print rather than objects (`kubectl get` does). */
export function wantsTable(request: IncomingMessage): boolean {
  const first = request.headers.accept?.split(",")[0] ?? "";
  return /;\s*as=Table\b/.test(first) && /;\s*v=v1\b/.test(first);
}

export interface TableOptions {
  metadata: object;
  /** How much of each object goes with its row: `Object`, `None`, else its metadata. */
  includeObject: string | null;
  /** Left out in all but the first event of a watch. */
  withColumns?: boolean;
  now: Date;
}

/** A `Table` of objects, in the columns that `kubectl get` shows. */
export function formatTable(resource: Resource, objects: readonly KubernetesObject[], options: TableOptions): string {
  const { metadata, includeObject, withColumns = true, now } = options;
  const columns = resource.columns ?? plainColumns;
  const columnDefinitions = columns.map(({ name, type, priority }) => ({
    name,
    type,
    format: name === "Name" ? "name" : "",
    description: "",
    priority,
  }));
  const rows = objects.map((object) => ({
    cells: columns.map(({ cell }) => cell(object, now)),
    ...(includeObject !== "None" && { object: includeObject === "Object" ? object : partial(object) }),
  }));
  const table = { kind: "Table", apiVersion: "meta.k8s.io/v1", metadata };
  return JSON.stringify({ ...table, columnDefinitions: withColumns ? columnDefinitions : null, rows });
}

function partial({ metadata }: KubernetesObject): object {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
}
