import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunView } from "../src/routes/run-view.ts";
import { startTestCluster, type TestCluster } from "./_cluster.ts";
import { Effects, type KillPoint } from "./_effects.ts";
import { listObjects } from "./_installation.ts";
import { startKubernetesEffects } from "./_kubernetes-effects.ts";
import { type OrchestratorProcess, prepareOrchestratorProcess } from "./_orchestrator-process.ts";
import { startPostgresEffects } from "./_postgres-effects.ts";

/** Work of the sweep and of tasks comes when it likes: what it does to a run is among the effects of its own name. */
const UNCOUNTED = /\btask\b/;
/** Writes without a transaction (leases, contacts) repeat in any number: their first is one of them all. */
const REPEATED = /^write of|^runner GET/;
const PARALLEL = 3;
const SETTLED_MS = 60_000;

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

interface Outcome {
  run: RunView;
  isReached: boolean;
  counts: ReadonlyMap<string, number>;
}

/** Does a whole job (create, start, finalise, gone) with an orchestrator that dies at one point and is started again. */
async function doJob(point: KillPoint | undefined): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "cactus-crash-"));
  stack.defer(() => rm(folder, { recursive: true }));
  let orchestrator: OrchestratorProcess | undefined;
  const effects = new Effects(point, async () => orchestrator?.restart());
  const kubeconfig = join(folder, "kubeconfig");
  stack.use(await startKubernetesEffects(cluster.local.kubeconfigPath, kubeconfig, effects));
  orchestrator = await prepareOrchestratorProcess({
    variables: { ...cluster.variables, KUBECONFIG: kubeconfig, IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: "1" },
    wrapDatabase: async (url) => stack.use(await startPostgresEffects(url, effects)).url,
  });
  stack.use(orchestrator);
  await orchestrator.start();
  effects.isCounting = true;
  const run = await useOrchestrator(orchestrator);
  const kinds = (await orchestrator.user.story(run.runId)).map(({ kind }) => kind);
  checkStory(kinds);
  return { run, isReached: effects.isReached, counts: new Map(effects.counts) };
}

async function useOrchestrator(orchestrator: OrchestratorProcess): Promise<RunView> {
  const { user } = orchestrator;
  const { certificateId } = await untilDone(() => user.issue());
  const input = { procedureId: "ALL-02", certificateId, idempotencyKey: "once" };
  const { runId } = await untilDone(() => user.ask<RunView>("runs.create", input));
  const wait = (wanted: (run: RunView) => boolean) => untilDone(() => expectRun(orchestrator, runId, wanted));
  const live = await wait(({ status }) => status !== "provisioning");
  if (live.status === "initialised") {
    await untilDone(() => user.ask("runs.start", { runId }));
  }
  await untilDone(() => user.ask("runs.finalise", { runId }));
  await untilDone(async () => expect((await user.story(runId)).map(({ kind }) => kind)).toContain("gone"));
  return untilDone(() => user.get(runId));
}

async function expectRun(
  { user }: OrchestratorProcess,
  runId: string,
  wanted: (run: RunView) => boolean,
): Promise<RunView> {
  const run = await user.get(runId);
  if (!wanted(run)) throw new Error(`the run is ${run.status}`);
  return run;
}

/** As a client would: again, while there is no answer or not the one that is waited for. */
async function untilDone<TResult>(attempt: () => Promise<TResult>): Promise<TResult> {
  for (const end = Date.now() + SETTLED_MS; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(40);
    }
  }
}

/** What is told must be true: each stage once, in order. */
function checkStory(kinds: string[]): void {
  const stages = [
    "requested",
    "created",
    "ready",
    "routed",
    "initialised",
    "started",
    "collected",
    "finalised",
    "gone",
  ];
  const told = kinds.filter((kind) => stages.includes(kind));
  expect(told).toEqual(stages.filter((stage) => told.includes(stage)));
}

function listPoints(counts: ReadonlyMap<string, number>): KillPoint[] {
  return [...counts]
    .filter(([effect]) => !UNCOUNTED.test(effect))
    .flatMap(([effect, count]) =>
      Array.from({ length: REPEATED.test(effect) ? 1 : count }, (_, index) => index + 1).flatMap((occurrence) =>
        (["before", "after"] as const).map((moment) => ({ effect, occurrence, moment })),
      ),
    );
}

function describePoint({ moment, effect, occurrence }: KillPoint): string {
  return `${moment.padEnd(6)} ${effect} #${occurrence}`;
}

function describeOutcome(outcome: Outcome | undefined): string {
  if (!outcome?.isReached) return "not reached this time";
  const { run } = outcome;
  const artifact = run.artifact === null ? "no artifact" : `${run.artifact.kind} artifact`;
  return `${run.status}, ${artifact}${run.failure === null ? "" : ` (${run.failure.reason})`}`;
}

function checkOutcome(point: KillPoint, { run }: Outcome): void {
  const shown = describePoint(point);
  // Nobody gave up: the run was finalised by its client, wherever the orchestrator died.
  expect([run.status, run.finalisedBy], shown).toEqual(["finalised", "client"]);
  expect(run.artifact, shown).not.toBeNull();
  if (run.artifact?.kind === "partial") expect(run.failure?.reason, shown).toBe("result_incomplete");
  else expect([run.failure, run.allCriteriaMet], shown).toEqual([null, expect.any(Boolean)]);
}

test("killed before and after each of its effects, it settles every run within 60 s, and nothing is lost", async () => {
  const undisturbed = await doJob(undefined);
  const points = listPoints(undisturbed.counts);
  expect(points.length).toBeGreaterThan(30);
  const outcomes = new Map<KillPoint, Outcome>();
  const waiting = [...points];
  const work = async (): Promise<void> => {
    for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
      outcomes.set(point, await doJob(point));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  const rows = points.map((point) => `${describePoint(point).padEnd(64)} ${describeOutcome(outcomes.get(point))}`);
  process.stdout.write(`\nKilled at ${points.length} points:\n${rows.join("\n")}\n`);
  for (const [point, outcome] of outcomes) checkOutcome(point, outcome);
  const missed = [...outcomes.values()].filter(({ isReached }) => !isReached);
  expect(missed.length).toBeLessThan(points.length / 10);
  expect(await listObjects(cluster)).toEqual([]);
}, 900_000);
