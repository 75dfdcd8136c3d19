import { randomInt } from "node:crypto";
import type * as model from "@kubernetes/client-node";
import type { KubernetesObject, Stored } from "../cluster-api.ts";
import { podPort } from "../node-agent/pod-port.ts";
import type { Registry } from "../registry/registry.ts";
import { getResource } from "../resources/table.ts";
import { badRequest, serviceUnavailable } from "../status-error.ts";

export interface ProxyTarget {
  scheme: "http" | "https";
  host: string;
  port: number;
}

interface Address {
  namespace: string;
  /** `name`, `name:port` or `scheme:name:port`. */
  id: string;
}

interface Asked {
  scheme: "http" | "https";
  name: string;
  /** Name or number; "" where none is given. */
  port: string;
}

/** Finds a ready endpoint of a Service. @throws {StatusError} 503 when there is none */
export function findServiceTarget(registry: Registry, { namespace, id }: Address): ProxyTarget {
  const asked = parseId(id, "service");
  const service = asKind<model.V1Service>(registry.get(getResource("services"), namespace, asked.name));
  const portName = portNameOf(service, asked);
  const slices = registry.store
    .list("endpointslices")
    .map((object) => asKind<model.V1EndpointSlice>(object))
    .filter(({ metadata }) => metadata.namespace === namespace)
    .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === asked.name);
  const candidates = slices.flatMap(({ endpoints, ports = [] }) => {
    const port = ports.find(({ name = "" }) => name === portName)?.port;
    const ready = (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false);
    return port === undefined ? [] : ready.flatMap(({ addresses }) => addresses.map((host) => ({ host, port })));
  });
  const chosen = candidates.length > 0 ? candidates[randomInt(candidates.length)] : undefined;
  if (chosen === undefined) throw serviceUnavailable(`no endpoints available for service "${id}"`);
  return { scheme: asked.scheme, ...chosen };
}

/** Finds where a Pod is reached, at its first port unless another is given. */
export function findPodTarget(registry: Registry, { namespace, id }: Address): ProxyTarget {
  const asked = parseId(id, "pod");
  const pod = asKind<model.V1Pod>(registry.get(getResource("pods"), namespace, asked.name));
  const first = pod.spec?.containers.flatMap(({ ports = [] }) => ports)[0]?.containerPort;
  const port = asked.port === "" ? first : Number(asked.port);
  const host = pod.status?.podIP;
  if (host === undefined) throw badRequest(`address not allowed`);
  if (port !== undefined && !Number.isInteger(port)) throw badRequest(`invalid pod request "${id}"`);
  return { scheme: asked.scheme, host, port: podPort(pod, port ?? 80) };
}

/** The name of the Service's port that is asked for. */
function portNameOf({ metadata, spec }: Stored<model.V1Service>, { port }: Asked): string {
  if (!/^\d+$/.test(port)) return port;
  const found = spec?.ports?.find((each) => each.port === Number(port));
  if (found !== undefined) return found.name ?? "";
  throw serviceUnavailable(`no service port ${Number(port)} found for service "${metadata.name}"`);
}

function parseId(id: string, kind: string): Asked {
  const parts = id.split(":");
  const [scheme, name, port] = parts.length === 3 ? parts : ["", ...parts];
  const isValid = name && parts.length <= 3 && ["", "http", "https"].includes(scheme ?? "");
  if (!isValid) throw badRequest(`invalid ${kind} request "${id}"`);
  return { scheme: scheme === "https" ? "https" : "http", name, port: port ?? "" };
}

/** The registry holds each kind under its own resource. */
function asKind<TModel>(object: KubernetesObject): Stored<TModel> {
  return object as Stored<TModel>;
}
