import { rm } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";
import { ensureGoProgram, moduleFolder } from "./go-program.ts";
import { loadImage } from "./image.ts";
import { until } from "./readiness.ts";

const FOLDER = "ingress-nginx";
const MODULE = "k8s.io/ingress-nginx";
const IMAGE = "cactus.test/ingress-nginx:1.11";
const MANIFESTS = join(moduleFolder(FOLDER), "kubernetes");
const FLAGS = "-s -w";

interface RunningCluster {
  /** File of the administrator's kubeconfig. */
  kubeconfig: string;
  kubectl: string;
}

/**
 * Installs a real ingress-nginx and waits until it serves: class `nginx`, Service `ingress-nginx-controller` in namespace
 * `ingress-nginx`. Builds it first where that is to do. Disposal removes it.
 */
export async function installIngressNginx(cluster: RunningCluster): Promise<AsyncDisposable> {
  const kubectl = (...parameters: string[]): Promise<string> =>
    command(cluster.kubectl, "--kubeconfig", cluster.kubeconfig, ...parameters);
  const folder = await ensureIngressNginx();
  const config = { Entrypoint: ["/nginx-ingress-controller"], Env: ["PATH=/usr/sbin"], User: "65532:65532" };
  await loadImage(IMAGE, join(folder, "rootfs"), { ...config, WorkingDir: "/etc/nginx" });
  // Nothing can be made in a namespace that an earlier user is giving up.
  await until("ingress-nginx is accepted", async () => (await kubectl("apply", "-k", MANIFESTS)) !== "");
  await kubectl("-n", "ingress-nginx", "rollout", "status", "deployment/ingress-nginx-controller", "--timeout=120s");
  return {
    async [Symbol.asyncDispose]() {
      await kubectl("delete", "--ignore-not-found", "-k", MANIFESTS);
    },
  };
}

/** Builds the controller and lays out its root file system. Gives the folder of both. */
export function ensureIngressNginx(): Promise<string> {
  return ensureGoProgram({
    folder: FOLDER,
    package: `${MODULE}/cmd/nginx`,
    flags: FLAGS,
    name: "controller",
    finish: async (draft, go) => {
      const module = await command(go, "list", "-C", moduleFolder(FOLDER), "-m", "-f", "{{.Dir}}", MODULE);
      const [controller, rootfs] = [join(draft, "controller"), join(draft, "rootfs")];
      await command(join(moduleFolder(FOLDER), "assemble.sh"), controller, module.trim(), rootfs);
      await rm(controller);
    },
  });
}
