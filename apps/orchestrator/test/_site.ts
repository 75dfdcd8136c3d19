import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestDatabase } from "@cactus/db/testing";
import { parseConfig } from "../src/config.ts";
import { startOrchestrator } from "../src/orchestrator.ts";
import type { TestCluster } from "./_cluster.ts";
import { listObjects, openUser, type TestUser } from "./_installation.ts";
import { type KubernetesFaults, startKubernetesFaults } from "./_kubernetes-faults.ts";
import { writeKubeconfig } from "./_kubernetes-proxy.ts";
import { prepareSurroundings, toTestOrchestrator } from "./_orchestrator.ts";
import { startTcpProxy } from "./_tcp-proxy.ts";
import type { Trouble } from "./_trouble.ts";

/** What is outside of an orchestrator. */
export type Neighbour = "Kubernetes" | "Postgres" | "runner";

/** An orchestrator, one of many on the same cluster, whose connections to its neighbours can be troubled. */
export interface Site extends AsyncDisposable {
  user: TestUser;
  url: string;
  database: TestDatabase;
  kubernetes: KubernetesFaults;
  trouble(neighbour: Neighbour, trouble: Trouble): void;
  /** Ends all connections to the API server, watches too; they may come again at once. */
  cutKubernetes(): void;
  /** As which user the orchestrator comes to the API server: that part of its kubeconfig is written anew. */
  setKubernetesUser(user: object): Promise<void>;
  /** What the cluster still holds of its teststacks. */
  listObjects(): Promise<string[]>;
}

export interface SiteOptions {
  /** Another than one of the test run's server. */
  database?: TestDatabase;
  variables?: Record<string, string>;
  kubernetesUser?: object;
}

export async function openSite(cluster: TestCluster, options: SiteOptions = {}): Promise<Site> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "cactus-site-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const surroundings = stack.use(
    await prepareSurroundings({
      ...cluster.variables,
      IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: "1",
      ...options.variables,
    }),
  );
  const { environment } = surroundings;
  const database = options.database ?? surroundings.database;
  const postgresUrl = new URL(database.url);
  const postgres = stack.use(await startTcpProxy({ host: postgresUrl.hostname, port: Number(postgresUrl.port) }));
  postgresUrl.port = String(postgres.port);
  const kubernetes = stack.use(await startKubernetesFaults(cluster.local.kubeconfigPath));
  const apiServer = stack.use(await startTcpProxy({ host: "127.0.0.1", port: kubernetes.port }));
  const kubeconfig = join(folder, "kubeconfig");
  const setKubernetesUser = (user: object) => writeKubeconfig(kubeconfig, { port: apiServer.port, user });
  await setKubernetesUser(options.kubernetesUser ?? {});
  const places = { KUBECONFIG: kubeconfig, ORCHESTRATOR_DATABASE_URL: postgresUrl.href };
  const { url } = stack.use(await startOrchestrator(parseConfig({ ...environment, ...places })));
  const orchestrator = toTestOrchestrator({ ...surroundings, database }, () => url);
  const user = openUser(orchestrator, await surroundings.sign({ sub: "tester" }));
  const owned = stack.move();
  return {
    user,
    url,
    database,
    kubernetes,
    trouble(neighbour, trouble) {
      if (neighbour === "Postgres") postgres.set(trouble);
      else if (neighbour === "Kubernetes") apiServer.set(trouble);
      else kubernetes.troubleRunners(trouble);
    },
    cutKubernetes() {
      apiServer.cut();
      apiServer.restore();
    },
    setKubernetesUser,
    async listObjects() {
      const names = (await database.db.selectFrom("teststack").select("name").execute()).map(({ name }) => name);
      return (await listObjects(cluster)).filter((object) => names.some((name) => object.includes(name)));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
