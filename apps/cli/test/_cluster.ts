import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Cluster, connectCluster } from "@cactus/core/kubernetes";
import { startLocalCluster } from "@cactus/local-cluster";

const CLI = fileURLToPath(new URL("../src/main.ts", import.meta.url));

interface Ended {
  code: number | null;
  output: string;
}

/** A local cluster with an operator's terminal beside it. */
export interface OperatorsCluster extends AsyncDisposable {
  kubeconfig: string;
  client: Cluster;
  /** A folder for files. */
  folder: string;
  /** `cactus …`, in a pipe, in the folder. It finds the cluster by KUBECONFIG, or by `.cactus/standalone.json` alone. */
  cactus(...args: string[]): Promise<Ended>;
  cactusOfLaptop(...args: string[]): Promise<Ended>;
  /** The files of a Secret, decoded. */
  files(namespace: string, name: string): Promise<Record<string, string>>;
}

export async function startOperatorsCluster(): Promise<OperatorsCluster> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "cactus-operator-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const local = stack.use(await startLocalCluster({ dataDir: join(folder, "cluster"), images: {} }));
  const client = stack.use(connectCluster({ kubeconfig: local.kubeconfigPath }));
  for (const name of ["test-orchestration", "test-execution"]) {
    await client.core.createNamespace({ body: { metadata: { name } } });
  }
  const owned = stack.move();
  await mkdir(join(folder, ".cactus"));
  await writeFile(join(folder, ".cactus", "standalone.json"), JSON.stringify({ kubeconfig: local.kubeconfigPath }));

  async function run(args: string[], environment: Record<string, string>) {
    const child = spawn(process.execPath, ["--conditions=@cactus/source", CLI, ...args], {
      cwd: folder,
      env: { PATH: process.env["PATH"], ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [[code], ...texts] = await Promise.all([
      once(child, "exit") as Promise<[number | null]>,
      child.stdout.setEncoding("utf8").toArray(),
      child.stderr.setEncoding("utf8").toArray(),
    ]);
    return { code, output: texts.flat().join("") };
  }

  return {
    kubeconfig: local.kubeconfigPath,
    client,
    folder,
    cactus: (...args) => run(args, { KUBECONFIG: local.kubeconfigPath }),
    cactusOfLaptop: (...args) => run(args, {}),
    async files(namespace, name) {
      const { data = {} } = await client.core.readNamespacedSecret({ namespace, name });
      return Object.fromEntries(
        Object.entries(data).map(([file, base64]) => [file, Buffer.from(base64, "base64").toString("utf8")]),
      );
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
