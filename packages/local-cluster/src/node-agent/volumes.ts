import { chmod, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import type { V1KeyToPath } from "@kubernetes/client-node";
import type { ClusterApi, Wire } from "../cluster-api.ts";
import { findConfig } from "./config-source.ts";
import type { Container, Pod, Volume } from "./pod-model.ts";

/** A volume that cannot be made; in the kubelet's words. */
export class MountError extends Error {
  override readonly name = "MountError";

  constructor(volume: string, why: string) {
    super(`MountVolume.SetUp failed for volume "${volume}" : ${why}`);
  }
}

/**
 * Makes a folder for each volume of a Pod. One that is there already stays as it is: contents live as long as the Pod.
 *
 * @throws {MountError} for a missing ConfigMap or Secret that is not optional, and for kinds of volume that this node does not have
 */
export async function makeVolumes(cluster: ClusterApi, pod: Pod, folder: string): Promise<void> {
  for (const volume of pod.spec?.volumes ?? []) {
    const target = join(folder, volume.name);
    if (await exists(target)) continue;
    const files = await readFiles(cluster, volume, pod.metadata.namespace ?? "");
    const draft = `${target}.new`;
    await rm(draft, { recursive: true, force: true });
    await mkdir(draft, { recursive: true });
    for (const { path, content, mode } of files) {
      const file = join(draft, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
      await chmod(file, mode);
    }
    await rename(draft, target);
  }
}

/**
 * Where a container finds its mounts. Processes share the machine's file system, so a mount is not at its path but in
 * a variable named after it: `/etc/procedures` is the folder that `MOUNT_ETC_PROCEDURES` tells.
 */
export function mountVariables(container: Container, folder: string): Record<string, string> {
  const mounts = (container.volumeMounts ?? []).map(({ mountPath, name, subPath = "" }) => [
    `MOUNT_${mountPath
      .replace(/^\W+|\W+$/g, "")
      .replace(/\W/g, "_")
      .toUpperCase()}`,
    join(folder, name, inside(subPath)),
  ]);
  return Object.fromEntries(mounts);
}

interface VolumeFile {
  path: string;
  content: Buffer;
  mode: number;
}

async function readFiles(cluster: ClusterApi, volume: Volume, namespace: string): Promise<VolumeFile[]> {
  const { name, emptyDir, configMap, secret } = volume;
  if (emptyDir !== undefined) return [];
  const source = configMap ?? secret;
  if (source === undefined) throw new MountError(name, "this node has emptyDir, configMap and secret volumes only");
  const kind = configMap === undefined ? "secret" : "configmap";
  const ref = { kind, namespace, name: configMap?.name ?? secret?.secretName ?? "" } as const;
  const data = await findConfig(cluster, ref);
  if (data === undefined && source.optional !== true) throw new MountError(name, `${kind} "${ref.name}" not found`);
  const items = source.items ?? [...(data?.keys() ?? [])].map((key): Wire<V1KeyToPath> => ({ key, path: key }));
  return items.flatMap(({ key, path, mode }) => {
    const content = data?.get(key);
    if (content !== undefined) return [{ path: inside(path), content, mode: mode ?? source.defaultMode ?? 0o644 }];
    if (source.optional === true) return [];
    throw new MountError(name, `references non-existent ${kind === "secret" ? "secret" : "config"} key: ${key}`);
  });
}

/** A relative path that stays below where it is joined to. */
function inside(path: string): string {
  return normalize(join("/", path)).slice(1);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
