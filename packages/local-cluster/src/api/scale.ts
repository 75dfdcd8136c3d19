import type { KubernetesObject } from "../cluster-api.ts";
import { findAt, isObject } from "../json.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import type { Registry } from "../registry/registry.ts";
import { DecodeError, decode } from "../schema/decode.ts";
import { badRequest } from "../status-error.ts";
import { formatLabels } from "../store/selectors.ts";
import { sendJson } from "./answer.ts";
import { parseJson, readBody } from "./body.ts";
import { type Call, methodNotAllowed } from "./call.ts";
import { parseWriteParameters } from "./options.ts";

/** Serves `statefulsets/scale`: the number of replicas as an object of its own (`kubectl scale`). */
export async function handleScale(call: Call, registry: Registry): Promise<void> {
  const { request, response, resource, namespace, name, query } = call;
  const { method } = request;
  if (method === "GET") return answer(call, registry.get(resource, namespace, name));
  if (method !== "PUT" && method !== "PATCH") throw methodNotAllowed();
  const { dryRun } = parseWriteParameters(query, method === "PUT" ? "UpdateOptions" : "PatchOptions");
  const sent = parseJson(await readBody(request), "Scale");
  const change = (current: KubernetesObject): KubernetesObject => {
    const scale = decodeScale(method === "PUT" ? sent : mergePatch<unknown>(scaleOf(current), sent));
    const metadata = isObject(scale["metadata"]) ? scale["metadata"] : {};
    const next = structuredClone(current);
    next.metadata.resourceVersion = String(metadata["resourceVersion"] ?? current.metadata.resourceVersion);
    next["spec"] = { ...(isObject(next["spec"]) && next["spec"]), replicas: findAt(scale, "spec.replicas") ?? 0 };
    return next;
  };
  answer({ response }, registry.update(resource, call, change, { dryRun }));
}

function answer({ response }: Pick<Call, "response">, object: KubernetesObject): void {
  sendJson(response, 200, JSON.stringify(scaleOf(object)));
}

function decodeScale(sent: unknown): Record<string, unknown> {
  try {
    return decode("V1Scale", sent).value;
  } catch (error) {
    throw error instanceof DecodeError
      ? badRequest(`Scale in version "v1" cannot be handled as a Scale: ${error.message}`)
      : error;
  }
}

function scaleOf(object: KubernetesObject): object {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const labels = findAt(object, "spec.selector.matchLabels");
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: findAt(object, "spec.replicas") ?? 0 },
    status: {
      replicas: findAt(object, "status.replicas") ?? 0,
      selector: formatLabels(isObject(labels) ? (labels as Record<string, string>) : {}),
    },
  };
}
