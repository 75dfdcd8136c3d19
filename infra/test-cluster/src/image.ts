import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { command } from "./command.ts";
import { places } from "./places.ts";

/** How containers of an image run, as in a Dockerfile. */
export interface ImageConfig {
  Entrypoint?: string[];
  Cmd?: string[];
  Env?: string[];
  User?: string;
  WorkingDir?: string;
}

/** Puts a folder into the cluster as an image of one layer, for Pods with `imagePullPolicy: Never` (or `IfNotPresent`). */
export async function loadImage(name: string, rootfs: string, config: ImageConfig): Promise<void> {
  const draft = await mkdtemp(join(places.cache, "image-"));
  try {
    const layer = join(draft, "layer.tar");
    await command("tar", "-C", rootfs, "--numeric-owner", "-cf", layer, ".");
    await writeFile(join(draft, "config.json"), JSON.stringify(buildConfig(config, await hashOf(layer))));
    const manifest = [{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }];
    await writeFile(join(draft, "manifest.json"), JSON.stringify(manifest));
    const archive = join(draft, "image.tar");
    await command("tar", "-C", draft, "-cf", archive, "config.json", "layer.tar", "manifest.json");
    await loadArchive(archive);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Puts the images of an archive, as `docker save` writes them, into the cluster. */
export async function loadArchive(archive: string): Promise<void> {
  await command("ctr", "--address", places.containerd, "--namespace", "k8s.io", "images", "import", archive);
}

function buildConfig(config: ImageConfig, layer: string): object {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return { architecture, os: "linux", config, rootfs: { type: "layers", diff_ids: [`sha256:${layer}`] } };
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
