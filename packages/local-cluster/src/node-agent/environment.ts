import type { V1EnvFromSource, V1EnvVarSource } from "@kubernetes/client-node";
import type { ClusterApi, Wire } from "../cluster-api.ts";
import { type ConfigRef, findConfig } from "./config-source.ts";
import { expandVariables } from "./expand-variables.ts";
import { type Image, PROGRAM_PATH } from "./image.ts";
import type { Container, Pod } from "./pod-model.ts";

/** A container's configuration names something that is not there; in the kubelet's words. */
export class ContainerConfigError extends Error {
  override readonly name = "ContainerConfigError";
}

export interface EnvironmentInput {
  pod: Pod;
  container: Container;
  image: Image;
  podIP: string;
  hostIP: string;
  /** Variables by which this node tells what a container would otherwise find in its own file system and network. */
  given: Readonly<Record<string, string>>;
}

/**
 * The whole environment of a container; nothing of the agent's own gets in.
 *
 * @throws {ContainerConfigError} for a ConfigMap, a Secret or a key of theirs that is missing and not optional
 */
export async function buildEnvironment(cluster: ClusterApi, input: EnvironmentInput): Promise<Record<string, string>> {
  const { pod, container, image, given } = input;
  const env: Record<string, string> = { PATH: PROGRAM_PATH, HOSTNAME: pod.metadata.name ?? "", ...image.env, ...given };
  for (const source of container.envFrom ?? []) Object.assign(env, await readAll(cluster, source, pod));
  for (const { name, value, valueFrom } of container.env ?? []) {
    const found =
      valueFrom === undefined ? expandVariables(value ?? "", env) : await readOne(cluster, valueFrom, input);
    if (found !== undefined) env[name] = found;
  }
  return env;
}

async function readAll(cluster: ClusterApi, source: Wire<V1EnvFromSource>, pod: Pod): Promise<Record<string, string>> {
  const { prefix = "", configMapRef, secretRef } = source;
  const { name = "", optional = false } = configMapRef ?? secretRef ?? {};
  const ref = configRef(configMapRef === undefined ? "secret" : "configmap", pod, name);
  const data = await findConfig(cluster, ref);
  if (data === undefined && !optional) throw missing(ref);
  return Object.fromEntries([...(data ?? [])].map(([key, value]) => [prefix + key, value.toString("utf8")]));
}

async function readOne(
  cluster: ClusterApi,
  source: Wire<V1EnvVarSource>,
  input: EnvironmentInput,
): Promise<string | undefined> {
  const { fieldRef, configMapKeyRef, secretKeyRef } = source;
  if (fieldRef !== undefined) return readField(fieldRef.fieldPath, input);
  const selector = configMapKeyRef ?? secretKeyRef;
  if (selector === undefined) throw new ContainerConfigError("this node knows no such source of a variable");
  const ref = configRef(configMapKeyRef === undefined ? "secret" : "configmap", input.pod, selector.name ?? "");
  const data = await findConfig(cluster, ref);
  const value = data?.get(selector.key);
  if (value !== undefined) return value.toString("utf8");
  if (selector.optional === true) return undefined;
  if (data === undefined) throw missing(ref);
  const kind = ref.kind === "secret" ? "Secret" : "ConfigMap";
  throw new ContainerConfigError(`couldn't find key ${selector.key} in ${kind} ${ref.namespace}/${ref.name}`);
}

function readField(path: string, { pod, podIP, hostIP }: EnvironmentInput): string {
  const { metadata, spec } = pod;
  const fields: Record<string, string | undefined> = {
    "metadata.name": metadata.name,
    "metadata.namespace": metadata.namespace,
    "metadata.uid": metadata.uid,
    "spec.nodeName": spec?.nodeName,
    "spec.serviceAccountName": spec?.serviceAccountName ?? "default",
    "status.podIP": podIP,
    "status.podIPs": podIP,
    "status.hostIP": hostIP,
  };
  const [, map, key] = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path) ?? [];
  if (key !== undefined) return metadata[map === "labels" ? "labels" : "annotations"]?.[key] ?? "";
  const value = fields[path];
  if (value === undefined) throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  return value;
}

function configRef(kind: ConfigRef["kind"], pod: Pod, name: string): ConfigRef {
  return { kind, namespace: pod.metadata.namespace ?? "", name };
}

function missing({ kind, name }: ConfigRef): ContainerConfigError {
  return new ContainerConfigError(`${kind} "${name}" not found`);
}
