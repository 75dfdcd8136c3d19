import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { ensureGoProgram } from "./go-program.ts";

const VERSION = "v1.36.3";
const FLAGS = [
  "-s -w",
  `-X k8s.io/component-base/version.gitVersion=${VERSION}`,
  "-X k8s.io/component-base/version.gitMajor=1",
  "-X k8s.io/component-base/version.gitMinor=36",
  `-X k8s.io/client-go/pkg/version.gitVersion=${VERSION}`,
].join(" ");

/** Builds all parts of Kubernetes as one binary `kube`, with a link `kubectl` beside it. Gives their folder. */
export function ensureBinary(): Promise<string> {
  return ensureGoProgram({
    folder: "kube",
    package: ".",
    flags: FLAGS,
    name: "kube",
    finish: (folder) => symlink("kube", join(folder, "kubectl")),
  });
}
