import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type ClientCertificate,
  fetchArtifact,
  type OrchestratorClient,
  type Run,
} from "../../../packages/client/src/index.ts";
import { askEdge } from "./_edge.ts";
import { control, listObjects } from "./_installation.ts";
import type { Replica } from "./_orchestrator-process.ts";
import {
  Follower,
  prepareReplicas,
  type Replicas,
  type RunnerCall,
  untilAnswered,
  watchRunnerCalls,
} from "./_replicas.ts";

const RUNS = Number(process.env["RUNS"] ?? 100);
/** Alive at once, as far as two cores go. */
const PARALLEL = Number(process.env["PARALLEL"] ?? 20);
const SETTLED_MS = 60_000;
const ONCE = ["requested", "created", "ready", "routed", "initialised", "started", "collected", "finalised", "gone"];
/** With the same seed the same runs are made and the same replicas killed; what meets what is up to the machine. */
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);

let installation: Replicas;
let client: OrchestratorClient;
let options: Awaited<ReturnType<Replicas["connect"]>>["options"];
const kills: number[] = [];
let stops = 0;

beforeAll(async () => {
  installation = await prepareReplicas(3, { IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: "1" });
  await Promise.all(installation.replicas.map((replica) => replica.start()));
  ({ client, options } = await installation.connect(() => pick(Math.random, installation.replicas)));
});
afterAll(() => installation[Symbol.asyncDispose]());

/** Numbers from 0 to 1 that the seed determines (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<TItem>(random: () => number, items: readonly TItem[]): TItem {
  return items[Math.floor(random() * items.length)] as TItem;
}

interface Plan {
  procedureId: string;
  /** Event at which it is finalised. */
  until: string;
  /** Requests that its device makes. */
  requests: number;
  /** How long its runner takes to finalise. */
  finalizeSeconds: number;
}

function makePlan(random: () => number): Plan {
  const procedureId = pick(random, ["ALL-01", "ALL-02"]);
  const until = random() < 0.1 ? pick(random, ["created", "ready", "routed", "initialised"]) : "started";
  return {
    procedureId,
    until,
    requests: pick(random, [0, 0, 0, 1, 3]),
    finalizeSeconds: pick(random, [0, 0, 0, 0.5, 2]),
  };
}

interface Done {
  plan: Plan;
  run: Run;
  follower: Follower;
}

async function doRun(plan: Plan, idempotencyKey: string): Promise<Done> {
  const { procedureId } = plan;
  const certificate = await untilAnswered(() => client.certificates.issue.mutate({ kind: "device" }));
  const { certificateId } = certificate;
  const { runId } = await untilAnswered(() =>
    client.runs.create.mutate({ procedureId, certificateId, idempotencyKey }),
  );
  const follower = new Follower(client, runId);
  await follower.until(plan.until === "started" ? "initialised" : plan.until);
  if (plan.until === "started") await use(runId, plan, certificate);
  await untilAnswered(() => client.runs.finalise.mutate({ runId }));
  await follower.ended;
  return { plan, follower, run: await untilAnswered(() => client.runs.get.query({ runId })) };
}

async function use(runId: string, plan: Plan, certificate: ClientCertificate): Promise<void> {
  const { cluster } = installation;
  const run = await untilAnswered(() => client.runs.start.mutate({ runId }));
  expect(run.status).toBe("started");
  if (plan.finalizeSeconds > 0) await control(cluster, run, { finalizeSeconds: plan.finalizeSeconds });
  for (let request = 0; request < plan.requests; request += 1) {
    const { privateKeyPem, chainPem } = certificate;
    const path = new URL(run.testUrl ?? "").pathname;
    const answer = await askEdge(cluster, { path, certificate: { chainPem, privateKeyPem: privateKeyPem ?? "" } });
    expect(answer.status).toBe(200);
  }
}

/** Kills a replica every few seconds, or lets it stop cleanly, and starts it again a moment later. */
async function keepKilling(replicas: Replica[], over: AbortSignal): Promise<void> {
  const random = createRandom(SEED + 1);
  const restarts: Promise<void>[] = [];
  const down = new Set<Replica>();
  while (!over.aborted) {
    await sleep(2_500 + random() * 2_500, undefined, { signal: over }).catch(() => {});
    // A machine that is slow to start them is not given more to do by it.
    if (over.aborted || down.size > 1) continue;
    const victim = pick(
      random,
      replicas.filter((replica) => !down.has(replica)),
    );
    down.add(victim);
    const how = random() < 0.25 ? "stop" : "kill";
    restarts.push(restart(victim, how, random() * 1_000).finally(() => down.delete(victim)));
  }
  await Promise.all(restarts);
}

async function restart(replica: Replica, how: "kill" | "stop", pauseMs: number): Promise<void> {
  if (how === "kill") kills.push(Date.now());
  else stops += 1;
  await replica[how]();
  await sleep(pauseMs);
  await replica.start();
}

const hasKill = (from: number, to: number): boolean => kills.some((at) => at >= from - 250 && at <= to + 250);

/** What one that was killed had sent before may arrive later, on a machine that has much to do. */
const UNDER_WAY_MS = 5_000;

/** Only who comes after one that died may ask again. Gives how often that happened. */
function checkCalls(calls: RunnerCall[]): number {
  const again = calls.filter(({ before }) => before !== undefined);
  for (const { teststack, path, at, before, hasLeft } of again) {
    const from = (before?.at ?? at) - UNDER_WAY_MS;
    const killed = kills.map((kill) => kill - at).join(", ");
    const shown = `${teststack} ${path} was asked again after ${at - (before?.at ?? 0)} ms; killed: ${killed}`;
    expect({ hasLeft, hasKill: hasKill(from, at) }, shown).toEqual({ hasLeft: true, hasKill: true });
  }
  return again.length;
}

/** Gives the longest pause between two of its events, in milliseconds. */
async function checkStory({ run, follower, plan }: Done): Promise<number> {
  const { runId } = run;
  const shown = `${runId}: ${follower.kinds.join(", ")}`;
  const { db } = installation.database;
  const stored = await db.selectFrom("event").selectAll().where("run_id", "=", runId).orderBy("number").execute();
  expect(
    stored.map(({ number }) => number),
    shown,
  ).toEqual(stored.map((_, index) => index + 1));
  expect(
    follower.events.map(({ id }) => id),
    shown,
  ).toEqual(stored.map(({ number }) => String(number)));
  const kinds = stored.map(({ kind }) => kind).filter((kind) => ONCE.includes(kind));
  expect(kinds, shown).toEqual(ONCE.filter((kind) => kinds.includes(kind)));
  if (plan.until === "started") expect(kinds, shown).toEqual(ONCE);
  else expect(kinds, shown).toEqual(expect.arrayContaining(["requested", "finalised", "gone"]));
  const times = stored.map(({ at }) => at.getTime());
  const pause = Math.max(...times.map((time, index) => time - (times[index - 1] ?? time)));
  expect(pause, shown).toBeLessThan(SETTLED_MS);
  return pause;
}

/** Gives the kind of its artifact, which must be what it says. */
async function checkArtifact({ run, plan }: Done): Promise<string> {
  expect([run.status, run.finalisedBy], run.runId).toEqual(["finalised", "client"]);
  if (run.artifact === null) {
    expect(plan.until, run.runId).not.toBe("started");
    return "none";
  }
  const response = await fetchArtifact(options, run);
  const zip = Buffer.from(await response.arrayBuffer());
  expect([zip.length, createHash("sha256").update(zip).digest("hex")]).toEqual([
    run.artifact.size,
    run.artifact.sha256,
  ]);
  if (run.artifact.kind === "complete") {
    expect(run.failure, run.runId).toBeNull();
    return "complete";
  }
  expect(run.failure, run.runId).toMatchObject({ reason: "result_incomplete" });
  const { finalize_called_at, finalised_at } = await installation.database.db
    .selectFrom("run")
    .select(["finalize_called_at", "finalised_at"])
    .where("id", "=", run.runId)
    .executeTakeFirstOrThrow();
  const [from, to] = [finalize_called_at?.getTime() ?? 0, finalised_at?.getTime() ?? 0];
  expect(hasKill(from, to), `${run.runId} has lost its archive, and nobody had died`).toBe(true);
  return "partial";
}

async function checkNothingIsLeft(): Promise<void> {
  const { cluster, database } = installation;
  expect(await listObjects(cluster)).toEqual([]);
  const teststacks = await database.db.selectFrom("teststack").select(["phase", "lease_owner"]).execute();
  expect(teststacks).toEqual(Array.from({ length: RUNS }, () => ({ phase: "gone", lease_owner: null })));
}

test("replicas die at random while 100 runs go through: each is done once, told whole, and nothing is left", async () => {
  using runners = watchRunnerCalls();
  const over = new AbortController();
  const killing = keepKilling(installation.replicas, over.signal);
  const begun = Date.now();
  const random = createRandom(SEED);
  const done: Done[] = [];
  const waiting = Array.from({ length: RUNS }, (_, index) => ({ plan: makePlan(random), key: `run ${index}` }));
  const work = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) done.push(await doRun(job.plan, job.key));
  };
  try {
    await Promise.all(Array.from({ length: PARALLEL }, work));
  } finally {
    over.abort();
    await killing;
  }
  const seconds = (Date.now() - begun) / 1000;
  const artifacts = await Promise.all(done.map(checkArtifact));
  const pauses: number[] = [];
  for (const each of done) pauses.push(await checkStory(each));
  const again = checkCalls(runners.calls);
  await checkNothingIsLeft();
  const count = (kind: string): number => artifacts.filter((other) => other === kind).length;
  process.stdout.write(
    `\nseed ${SEED}: ${RUNS} runs in ${seconds.toFixed(0)} s, ${kills.length} kills, ${stops} stops; artifacts: ${count("complete")} complete, ` +
      `${count("partial")} partial, ${count("none")} without; runners asked again after a kill: ${again}; ` +
      `longest pause in a story: ${Math.max(...pauses)} ms\n`,
  );
}, 400_000);
