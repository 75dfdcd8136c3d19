import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";
import { ensureGoProgram, moduleFolder } from "./go-program.ts";
import { loadImage } from "./image.ts";
import { places } from "./places.ts";
import { until } from "./readiness.ts";

const FOLDER = "ingress-nginx";
const MODULE = "k8s.io/ingress-nginx";
const IMAGE = "cactus.test/ingress-nginx:1.11";
const MANIFESTS = join(moduleFolder(FOLDER), "kubernetes");
const NAMESPACE = "ingress-nginx";
const CONTROLLER = "deployment/ingress-nginx-controller";

interface RunningCluster {
  /** File of the administrator's kubeconfig. */
  kubeconfig: string;
  kubectl: string;
}

type Kubectl = (...parameters: string[]) => Promise<string>;

/**
 * Installs a real ingress-nginx and waits until it serves: class `nginx`, Service `ingress-nginx-controller` in namespace
 * `ingress-nginx`. Builds it first where that is to do. Disposal removes it.
 */
export async function installIngressNginx(cluster: RunningCluster): Promise<AsyncDisposable> {
  const kubectl: Kubectl = (...parameters) =>
    command(cluster.kubectl, "--kubeconfig", cluster.kubeconfig, ...parameters);
  const folder = await ensureIngressNginx();
  const config = { Entrypoint: ["/nginx-ingress-controller"], Env: ["PATH=/usr/sbin"], User: "65532:65532" };
  await loadImage(IMAGE, join(folder, "rootfs"), { ...config, WorkingDir: "/etc/nginx" });
  const admission = await writeAdmissionSecret(kubectl);
  // Nothing can be made in a namespace that an earlier user is giving up.
  await until("there is a namespace for ingress-nginx", async () => {
    await kubectl("apply", "-f", join(MANIFESTS, "namespace.yaml"), "-f", admission);
    return true;
  });
  await kubectl("apply", "-k", MANIFESTS);
  await kubectl("-n", NAMESPACE, "rollout", "status", CONTROLLER, "--timeout=120s");
  return {
    async [Symbol.asyncDispose]() {
      await kubectl("delete", "--ignore-not-found", "-k", MANIFESTS);
    },
  };
}

/** Makes the certificate of the admission webhook, which is its own authority. Gives the file of its Secret. */
async function writeAdmissionSecret(kubectl: Kubectl): Promise<string> {
  const at = (type: string): string => join(places.state, `admission.${type}`);
  const name = `DNS:ingress-nginx-controller-admission.${NAMESPACE}.svc`;
  await command(
    "openssl",
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"],
    ...["-subj", "/CN=admission", "-addext", `subjectAltName=${name}`, "-keyout", at("key"), "-out", at("crt")],
  );
  const pair = [`--cert=${at("crt")}`, `--key=${at("key")}`, "--dry-run=client", "-o", "yaml"];
  const secret = await kubectl("-n", NAMESPACE, "create", "secret", "tls", "ingress-nginx-admission", ...pair);
  await writeFile(at("yaml"), secret, { mode: 0o600 });
  return at("yaml");
}

/** Builds the controller and lays out its root file system. Gives the folder that has it. */
export function ensureIngressNginx(): Promise<string> {
  return ensureGoProgram({
    folder: FOLDER,
    package: `${MODULE}/cmd/nginx`,
    flags: "-s -w",
    name: "controller",
    finish: async (draft, go) => {
      const module = await command(go, "list", "-C", moduleFolder(FOLDER), "-m", "-f", "{{.Dir}}", MODULE);
      const [controller, rootfs] = [join(draft, "controller"), join(draft, "rootfs")];
      await command(join(moduleFolder(FOLDER), "assemble.sh"), controller, module.trim(), rootfs);
      await rm(controller);
    },
  });
}
