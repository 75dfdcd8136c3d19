import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";
import { ensureGo } from "./go.ts";
import { places } from "./places.ts";

const module = new URL("../kube", import.meta.url).pathname;
const VERSION = "v1.36.3";
const FLAGS = [
  "-s -w",
  `-X k8s.io/component-base/version.gitVersion=${VERSION}`,
  "-X k8s.io/component-base/version.gitMajor=1",
  "-X k8s.io/component-base/version.gitMinor=36",
  `-X k8s.io/client-go/pkg/version.gitVersion=${VERSION}`,
].join(" ");

/**
 * Builds all parts of Kubernetes as one binary `kube`, with a link `kubectl` beside it, unless that was done before from
 * the same sources. Gives their folder, which is in the cache: about ten minutes the first time, then nothing.
 */
export async function ensureBinary(): Promise<string> {
  const folder = join(places.cache, await hashOfInputs());
  if (existsSync(join(folder, "kube"))) return folder;
  const draft = join(places.cache, `building-${process.pid}`);
  await mkdir(draft, { recursive: true });
  const go = await ensureGo();
  const build = [
    "build",
    "-C",
    module,
    "-trimpath",
    "-buildvcs=false",
    "-ldflags",
    FLAGS,
    "-o",
    join(draft, "kube"),
    ".",
  ];
  await command("env", "CGO_ENABLED=0", "nice", go, ...build);
  await symlink("kube", join(draft, "kubectl"));
  await rename(draft, folder);
  return folder;
}

async function hashOfInputs(): Promise<string> {
  const hash = createHash("sha256").update(FLAGS).update(process.arch);
  for (const file of (await readdir(module)).sort()) hash.update(file).update(await readFile(join(module, file)));
  return hash.digest("hex").slice(0, 16);
}
