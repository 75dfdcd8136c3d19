import { pipeline } from "node:stream/promises";
import type * as model from "@kubernetes/client-node";
import type { LogOptions, NodeApi, Stored } from "../cluster-api.ts";
import type { Registry } from "../registry/registry.ts";
import { invalid, refuseInvalid } from "../resources/problem.ts";
import { badRequest, serviceUnavailable } from "../status-error.ts";
import { type Call, methodNotAllowed } from "./call.ts";

/** Serves `pods/log` from the node that runs the Pod. */
export async function handleLog(call: Call, registry: Registry, node: NodeApi | undefined): Promise<void> {
  const { request, response, resource, namespace, name, query } = call;
  if (request.method !== "GET") throw methodNotAllowed();
  const pod = registry.get(resource, namespace, name) as Stored<model.V1Pod>;
  const options = { ...parseLimits(name, query), container: chooseContainer(pod, query.get("container") ?? "") };
  // A Pod that no node has yet has said nothing.
  if (!pod.spec?.nodeName) return void response.writeHead(204).end();
  response.setHeader("content-type", "text/plain");
  if (node === undefined) throw serviceUnavailable("the node agent is not running");
  const log = await node.openLog({ namespace, name, uid: pod.metadata.uid ?? "" }, options);
  response.flushHeaders();
  await pipeline(log, response).catch(() => response.destroy());
}

function chooseContainer({ metadata, spec }: Stored<model.V1Pod>, asked: string): string {
  const names = spec?.containers.map(({ name }) => name) ?? [];
  const initNames = spec?.initContainers?.map(({ name }) => name) ?? [];
  if (asked === "") {
    const [only] = names;
    if (only !== undefined && names.length === 1 && initNames.length === 0) return only;
    const others = initNames.length > 0 ? ` or one of the init containers: [${initNames.join(" ")}]` : "";
    throw badRequest(
      `a container name must be specified for pod ${metadata.name}, choose one of: [${names.join(" ")}]${others}`,
    );
  }
  if ([...names, ...initNames].includes(asked)) return asked;
  throw badRequest(`container ${asked} is not valid for pod ${metadata.name}`);
}

function parseLimits(pod: string, query: URLSearchParams): Omit<LogOptions, "container"> {
  const isTrue = (name: string): boolean => ["true", "1"].includes(query.get(name) ?? "");
  const limits = (["tailLines", "limitBytes", "sinceSeconds"] as const).flatMap((name) => {
    const text = query.get(name);
    if (text === null) return [];
    const value = Number(text);
    if (!Number.isInteger(value)) throw badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`);
    const least = name === "tailLines" ? 0 : 1;
    if (value < least) {
      const why = `must be greater than ${least === 0 ? "or equal to " : ""}0`;
      throw refuseInvalid({ group: "", kind: "PodLogOptions" }, pod, [invalid(name, value, why)]);
    }
    return [[name, value] as const];
  });
  const flags = { follow: isTrue("follow"), previous: isTrue("previous"), timestamps: isTrue("timestamps") };
  return { ...flags, ...Object.fromEntries(limits) };
}
