import { apiVersionOf, type Resource } from "../resources/resource.ts";
import { resources } from "../resources/table.ts";

/**
 * As much of OpenAPI v3 as `kubectl apply` looks for: that writes take `dryRun` and `fieldValidation`, so that it leaves
 * validation to the server. The types themselves are not described.
 */
const documents = new Map<string, object>([
  ["/openapi/v3", { paths: Object.fromEntries(rootPaths().map((path) => [path, reference(path)])) }],
  ...rootPaths().map((path): [string, object] => [`/openapi/v3/${path}`, describe(path)]),
]);

export function findOpenApi(path: string): object | undefined {
  return documents.get(path);
}

function rootOf(resource: Resource): string {
  return `${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`;
}

function rootPaths(): string[] {
  return [...new Set(resources.map(rootOf))];
}

function reference(path: string): object {
  return { serverRelativeURL: `/openapi/v3/${path}` };
}

function describe(root: string): object {
  const paths = resources
    .filter((resource) => rootOf(resource) === root)
    .map((resource) => [pathOf(resource), operations(resource)]);
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "v1.36.0" },
    paths: Object.fromEntries(paths),
    components: { schemas: {} },
  };
}

function pathOf(resource: Resource): string {
  const namespace = resource.namespaced ? "/namespaces/{namespace}" : "";
  return `/${rootOf(resource)}${namespace}/${resource.plural}/{name}`;
}

function operations({ group, version, kind }: Resource): object {
  const parameters = ["dryRun", "fieldValidation"].map((name) => ({
    name,
    in: "query",
    schema: { type: "string", uniqueItems: true },
  }));
  const of = { "x-kubernetes-group-version-kind": { group, version, kind } };
  return { patch: { parameters, responses: {}, "x-kubernetes-action": "patch", ...of } };
}
