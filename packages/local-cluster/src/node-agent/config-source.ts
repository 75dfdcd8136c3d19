import type { V1ConfigMap, V1Secret } from "@kubernetes/client-node";
import type { ClusterApi, Stored } from "../cluster-api.ts";
import { StatusError } from "../status-error.ts";

/** Names a ConfigMap or a Secret, as messages name them. */
export interface ConfigRef {
  kind: "configmap" | "secret";
  namespace: string;
  name: string;
}

/** The contents of a ConfigMap or Secret by key; undefined when there is no such object. */
export async function findConfig(cluster: ClusterApi, ref: ConfigRef): Promise<Map<string, Buffer> | undefined> {
  try {
    const object = await cluster.get<Stored<V1ConfigMap & V1Secret>>({ ...ref, resource: `${ref.kind}s` });
    const isText = ref.kind === "configmap";
    const plain = Object.entries(object.data ?? {}).map(([key, value]) =>
      entry(key, value, isText ? "utf8" : "base64"),
    );
    const binary = Object.entries(object.binaryData ?? {}).map(([key, value]) => entry(key, value, "base64"));
    return new Map([...plain, ...binary]);
  } catch (error) {
    if (error instanceof StatusError && error.code === 404) return undefined;
    throw error;
  }
}

function entry(key: string, value: string, encoding: BufferEncoding): [string, Buffer] {
  return [key, Buffer.from(value, encoding)];
}
