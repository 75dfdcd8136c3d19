import { setTimeout as sleep } from "node:timers/promises";
import type { RunView } from "../src/routes/run-view.ts";
import { CONTROL_PORT, startTestCluster, type TestCluster } from "./_cluster.ts";
import { type Answer, startTestOrchestrator, type TestOrchestrator } from "./_orchestrator.ts";

/** A local cluster with an orchestrator on it, and the doings of one of its users. */
export interface TestInstallation extends AsyncDisposable {
  cluster: TestCluster;
  orchestrator: TestOrchestrator;
  user: TestUser;
  newUser(subject: string, permissions?: string[]): Promise<TestUser>;
  /** Every object of any teststack that the cluster's API lists. */
  listObjects(): Promise<string[]>;
}

export interface Certificate {
  certificateId: string;
  lfdi: string;
  chainPem: string;
  privateKeyPem: string;
}

export interface TestUser {
  token: string;
  call(path: string, input?: unknown): Promise<Answer>;
  /** The result of a call that must succeed. */
  ask<TResult>(path: string, input?: unknown): Promise<TResult>;
  issue(kind?: "device" | "aggregator"): Promise<Certificate>;
  /** Creates a run with a certificate of its own, and returns at once. */
  create(procedureId: string): Promise<{ runId: string; certificate: Certificate }>;
  /** Creates a run and waits until its test can be reached. */
  createLive(procedureId: string): Promise<{ run: RunView; certificate: Certificate }>;
  get(runId: string): Promise<RunView>;
  /** Waits until the run is as wanted; fails with the run's story when that does not come. */
  until(runId: string, wanted: (run: RunView) => boolean): Promise<RunView>;
  /** Waits until the run has ended and its teststack is gone. */
  untilGone(runId: string): Promise<RunView>;
  /** Kinds and messages of the run's events. */
  story(runId: string): Promise<{ kind: string; message: string; detail: Record<string, unknown> }[]>;
}

const PATIENCE_MS = 100_000;

export async function startTestInstallation(variables: Record<string, string> = {}): Promise<TestInstallation> {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startTestCluster());
  const orchestrator = stack.use(await startTestOrchestrator({ ...cluster.variables, ...variables }));
  const newUser: TestInstallation["newUser"] = async (subject, permissions) =>
    openUser(orchestrator, await orchestrator.sign({ sub: subject, ...(permissions && { permissions }) }));
  const user = await newUser("tester");
  const owned = stack.move();
  return {
    cluster,
    orchestrator,
    user,
    newUser,
    listObjects: () => listObjects(cluster),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export function openUser(orchestrator: Omit<TestOrchestrator, typeof Symbol.asyncDispose>, token: string): TestUser {
  const { db } = orchestrator.database;
  const call: TestUser["call"] = (path, input) => orchestrator.call(path, input, { token });

  async function ask<TResult>(path: string, input?: unknown): Promise<TResult> {
    const { data, error } = await call(path, input);
    if (error !== undefined) throw new Error(`${path}: ${error.reason}: ${error.message}`);
    return data as TResult;
  }

  const get = (runId: string): Promise<RunView> => ask("runs.get", { runId });
  const issue: TestUser["issue"] = (kind = "device") => ask("certificates.issue", { kind });

  async function story(runId: string) {
    return db
      .selectFrom("event")
      .select(["kind", "message", "detail"])
      .where("run_id", "=", runId)
      .orderBy("number")
      .execute();
  }

  async function waitFor(runId: string, what: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
      if (await what()) return;
      await sleep(25);
    }
    const lines = (await story(runId)).map(({ kind, message }) => `${kind}: ${message}`);
    throw new Error(`the run did not get there; its story:\n${lines.join("\n")}`);
  }

  const until: TestUser["until"] = async (runId, wanted) => {
    await waitFor(runId, async () => wanted(await get(runId)));
    return get(runId);
  };

  const create: TestUser["create"] = async (procedureId) => {
    const certificate = await issue();
    const { runId } = await ask<RunView>("runs.create", { procedureId, certificateId: certificate.certificateId });
    return { runId, certificate };
  };

  return {
    token,
    call,
    ask,
    issue,
    create,
    async createLive(procedureId) {
      const { runId, certificate } = await create(procedureId);
      const run = await until(runId, ({ status }) => status !== "provisioning");
      if (run.status === "failed") throw new Error(`the run failed: ${run.failure?.message}`);
      return { run, certificate };
    },
    get,
    until,
    async untilGone(runId) {
      await waitFor(runId, async () => (await story(runId)).some(({ kind }) => kind === "gone"));
      return get(runId);
    },
    story,
  };
}

export async function listObjects({ client }: TestCluster): Promise<string[]> {
  const query = { namespace: "test-execution", labelSelector: "cactus-orchestrator/teststack" };
  const lists = await Promise.all([
    client.apps.listNamespacedStatefulSet(query),
    client.core.listNamespacedPod(query),
    client.core.listNamespacedService(query),
    client.networking.listNamespacedIngress(query),
  ]);
  return lists.flatMap(({ kind, items }) => items.map(({ metadata }) => `${kind} ${metadata?.name}`));
}

/** The Pod of a run's teststack. */
export async function getPod({ client }: TestCluster, run: { testUrl: string | null }) {
  const labelSelector = `app=${new URL(run.testUrl ?? "").pathname.split("/")[1]}`;
  const { items } = await client.core.listNamespacedPod({ namespace: "test-execution", labelSelector });
  if (items[0] === undefined) throw new Error(`there is no Pod ${labelSelector}`);
  return items[0];
}

/** Lets the simulator of a run's teststack go wrong, by its control endpoint. */
export async function control(
  cluster: TestCluster,
  run: { testUrl: string | null },
  call: "respawn" | object,
): Promise<void> {
  const { status } = await getPod(cluster, run);
  const base = `http://${status?.podIP}:${CONTROL_PORT}`;
  const response =
    call === "respawn"
      ? await fetch(`${base}/respawn`, { method: "POST" })
      : await fetch(`${base}/faults`, { method: "PATCH", body: JSON.stringify(call) });
  if (!response.ok) throw new Error(`control answered ${response.status}: ${await response.text()}`);
}
