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
import { expectStagesOnce } from "./_settled.ts";

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

/** What an orchestrator is to do while it dies, by whom the run ends, and from when on its effects are counted. */
interface Job {
  name: string;
  /** Which of its effects are its own: what it has in common with the jobs before is not killed again. */
  isOwn: (point: KillPoint) => boolean;
  variables?: Record<string, string>;
  finalisedBy: RunView["finalisedBy"];
  use(orchestrator: OrchestratorProcess, count: () => void): Promise<RunView>;
}

interface Outcome {
  run: RunView;
  isReached: boolean;
  counts: ReadonlyMap<string, number>;
}

/** Does a job with an orchestrator that dies at one point and is started again. */
async function doJob(job: Job, point: KillPoint | undefined): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "cactus-crash-"));
  stack.defer(() => rm(folder, { recursive: true }));
  let orchestrator: OrchestratorProcess | undefined;
  const effects = new Effects(point, async () => orchestrator?.restart());
  const kubeconfig = join(folder, "kubeconfig");
  stack.use(await startKubernetesEffects(cluster.local.kubeconfigPath, kubeconfig, effects));
  orchestrator = await prepareOrchestratorProcess({
    variables: {
      ...cluster.variables,
      KUBECONFIG: kubeconfig,
      IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: "1",
      ...job.variables,
    },
    wrapDatabase: async (url) => stack.use(await startPostgresEffects(url, effects)).url,
  });
  stack.use(orchestrator);
  await orchestrator.start();
  const run = await job.use(orchestrator, () => {
    effects.isCounting = true;
  });
  // What it does while it is stopped is not the job's, and nobody would stop it once more.
  effects.isCounting = false;
  const kinds = (await orchestrator.user.story(run.runId)).map(({ kind }) => kind);
  expectStagesOnce(kinds);
  return { run, isReached: effects.isReached, counts: new Map(effects.counts) };
}

async function create({ user }: OrchestratorProcess, procedureId: string, idempotencyKey: string): Promise<string> {
  const { certificateId } = await untilDone(() => user.issue());
  const input = { procedureId, certificateId, idempotencyKey };
  return (await untilDone(() => user.ask<RunView>("runs.create", input))).runId;
}

const untilLive = (orchestrator: OrchestratorProcess, runId: string) =>
  untilDone(() => expectRun(orchestrator, runId, ({ status }) => status !== "provisioning"));

async function untilGone({ user }: OrchestratorProcess, runId: string): Promise<RunView> {
  await untilDone(async () => {
    const story = await user.story(runId);
    if (!story.some(({ kind }) => kind === "gone"))
      throw new Error(`it is not gone: ${JSON.stringify(story.slice(-3))}`);
  });
  return untilDone(() => user.get(runId));
}

const wholeJob: Job = {
  name: "create, start, finalise",
  isOwn: () => true,
  finalisedBy: "client",
  async use(orchestrator, count) {
    count();
    const { user } = orchestrator;
    const runId = await create(orchestrator, "ALL-02", "once");
    const live = await untilLive(orchestrator, runId);
    if (live.status === "initialised") await untilDone(() => user.ask("runs.start", { runId }));
    await untilDone(() => user.ask("runs.finalise", { runId }));
    return untilGone(orchestrator, runId);
  },
};

const sweepJob: Job = {
  name: "left alone: warned of, then finalised by the sweep",
  // Each sweep notes what the runner says.
  isOwn: ({ effect, occurrence }) => /^write of run |^commit of run/.test(effect) && occurrence === 1,
  // It is warned of after half of the time: long after it is live, however slow the machine is.
  variables: { IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS: "10", IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS: "10" },
  finalisedBy: "lifetime",
  async use(orchestrator, count) {
    const runId = await create(orchestrator, "ALL-02", "once");
    await untilLive(orchestrator, runId);
    count();
    return untilGone(orchestrator, runId);
  },
};

const queueJob: Job = {
  name: "in the queue, then admitted",
  isOwn: ({ effect }) => /^commit of teststack(, run, event)?$/.test(effect),
  variables: { INSTANCES_MAX: "1" },
  finalisedBy: "client",
  async use(orchestrator, count) {
    const { user } = orchestrator;
    const first = await create(orchestrator, "ALL-01", "first");
    await untilLive(orchestrator, first);
    count();
    const second = await create(orchestrator, "ALL-01", "second");
    await untilDone(() => user.ask("runs.finalise", { runId: first }));
    await untilLive(orchestrator, second);
    await untilDone(() => user.ask("runs.finalise", { runId: second }));
    await untilGone(orchestrator, first);
    return untilGone(orchestrator, second);
  },
};

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

function checkOutcome({ finalisedBy }: Job, point: KillPoint, { run }: Outcome): void {
  const shown = describePoint(point);
  // Nobody gave up: the run was finalised by whom it was to be, wherever the orchestrator died.
  expect([run.status, run.finalisedBy], shown).toEqual(["finalised", finalisedBy]);
  expect(run.artifact, shown).not.toBeNull();
  if (run.artifact?.kind === "partial") expect(run.failure?.reason, shown).toBe("result_incomplete");
  else expect([run.failure, run.allCriteriaMet], shown).toEqual([null, expect.any(Boolean)]);
}

test.each([wholeJob, sweepJob, queueJob])(
  "killed before and after each effect ($name), it settles every run within 60 s, and nothing is lost",
  async (job) => {
    const undisturbed = await doJob(job, undefined);
    const points = listPoints(undisturbed.counts).filter(job.isOwn);
    expect(points.length).toBeGreaterThan(job === wholeJob ? 30 : 5);
    const outcomes = new Map<KillPoint, Outcome>();
    const waiting = [...points];
    const work = async (): Promise<void> => {
      for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
        outcomes.set(point, await doJob(job, point));
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    const rows = points.map((point) => `${describePoint(point).padEnd(64)} ${describeOutcome(outcomes.get(point))}`);
    process.stdout.write(`\n${job.name}: killed at ${points.length} points:\n${rows.join("\n")}\n`);
    for (const [point, outcome] of outcomes) checkOutcome(job, point, outcome);
    // How often it does a thing may differ; that it does it may not.
    const missed = points.filter((point) => point.occurrence === 1 && outcomes.get(point)?.isReached !== true);
    expect(missed.length).toBeLessThan(points.length / 10 + 1);
    expect(await listObjects(cluster)).toEqual([]);
  },
  900_000,
);
