import type { IncomingMessage, ServerResponse } from "node:http";
import { apiVersionOf, type Resource } from "../resources/resource.ts";
import { resources } from "../resources/table.ts";
import { StatusError } from "../status-error.ts";

/** A request about objects, understood as far as its path and query go. */
export interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  resource: Resource;
  /** "" for cluster-scoped resources, and for all namespaces. */
  namespace: string;
  /** "" for requests about a collection. */
  name: string;
  subresource: string;
  /** What follows the subresource, with its slash: the path that a proxy asks for. */
  rest: string;
  query: URLSearchParams;
}

const byPath = new Map(
  resources.map((resource) => {
    const prefix = resource.group === "" ? "api" : "apis";
    return [`${prefix}/${apiVersionOf(resource)}/${resource.plural}`, resource];
  }),
);

/**
 * Understands paths below `/api/v1` and `/apis/<group>/<version>`.
 *
 * @throws {StatusError} 404 when no such resource is served
 */
export function parseCall(request: IncomingMessage, response: ServerResponse, url: URL): Call {
  const segments = url.pathname.split("/").slice(1);
  const depth = segments[0] === "api" ? 2 : 3;
  const base = segments.slice(0, depth).join("/");
  const target = parseTarget(base, segments.slice(depth));
  const known = target.subresource === "" || target.resource.subresources?.includes(target.subresource);
  if (!known) throw noSuchResource();
  return { request, response, ...target, query: url.searchParams };
}

function parseTarget(base: string, path: string[]): Omit<Call, "request" | "response" | "query"> {
  const inNamespace = path[0] === "namespaces" && path.length > 2 ? byPath.get(`${base}/${path[2]}`) : undefined;
  const scoped = inNamespace?.namespaced === true;
  const [plural = "", name = "", subresource = "", ...rest] = scoped ? path.slice(2) : path;
  const resource = byPath.get(`${base}/${plural}`);
  if (resource === undefined || (resource.namespaced && !scoped && name !== "")) throw noSuchResource();
  return {
    resource,
    namespace: scoped ? decode(path[1] ?? "") : "",
    name: decode(name),
    subresource,
    rest: rest.length > 0 ? `/${rest.join("/")}` : "",
  };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw noSuchResource();
  }
}

function noSuchResource(): StatusError {
  return new StatusError(404, "NotFound", "the server could not find the requested resource", {});
}

export function methodNotAllowed(): StatusError {
  const message = "the server does not allow this method on the requested resource";
  return new StatusError(405, "MethodNotAllowed", message, {});
}
