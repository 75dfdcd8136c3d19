import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OrchestratorClient, Run } from "../../../packages/client/src/index.ts";
import { control, listObjects } from "./_installation.ts";
import type { Replica } from "./_orchestrator-process.ts";
import { Follower, prepareReplicas, type Replicas } from "./_replicas.ts";

const LONG = 180_000;
/** Long enough for the other replicas to start meanwhile, also on a machine that has much to do. */
const FINALIZE_SECONDS = 15;

let installation: Replicas;
beforeAll(async () => {
  installation = await prepareReplicas(3, { HTTP_LINGER_SECONDS: "2" });
});
afterAll(() => installation[Symbol.asyncDispose](), LONG);

const tell = (line: string): void => void process.stdout.write(`      ${line}\n`);

async function createLive(client: OrchestratorClient, procedureId: string): Promise<{ run: Run; follower: Follower }> {
  const { certificateId } = await client.certificates.issue.mutate({ kind: "device" });
  const { runId } = await client.runs.create.mutate({ procedureId, certificateId });
  const follower = new Follower(client, runId);
  await follower.until("initialised");
  return { run: await client.runs.get.query({ runId }), follower };
}

function checkWhole({ events }: Follower): void {
  expect(events.map(({ id }) => Number(id))).toEqual(events.map((_, index) => index + 1));
  expect(events.at(-1)?.kind).toBe("gone");
}

interface HeldRun {
  runId: string;
  /** The only replica that can have its teststack. */
  holder: Replica;
  follower: Follower;
}

/** A run whose result is being fetched, which takes a while, by a replica that was alone when it began. */
async function createHeldRun(): Promise<HeldRun> {
  const [holder, ...others] = installation.replicas as [Replica, Replica, Replica];
  await Promise.all(others.map((replica) => replica.stop()));
  await holder.start();
  const { client } = await installation.connect(() => holder);
  const { run, follower } = await createLive(client, "ALL-01");
  const { runId } = run;
  await control(installation.cluster, run, { finalizeSeconds: FINALIZE_SECONDS });
  await client.runs.finalise.mutate({ runId });
  await follower.until("collecting");
  await Promise.all(others.map((replica) => replica.start()));
  const elsewhere = await installation.connect(() => others[0]);
  return { runId, holder, follower: new Follower(elsewhere.client, runId) };
}

/** Name under which somebody has the run's teststack now. */
async function findOwner(runId: string): Promise<string | null> {
  const { db } = installation.database;
  const found = db
    .selectFrom("teststack")
    .innerJoin("run", "run.teststack_id", "teststack.id")
    .where("run.id", "=", runId);
  return (await found.select("lease_owner").executeTakeFirstOrThrow()).lease_owner;
}

async function findArtifactKind(runId: string): Promise<string | undefined> {
  const { db } = installation.database;
  return (await db.selectFrom("artifact").select("kind").where("run_id", "=", runId).executeTakeFirst())?.kind;
}

test(
  "a replica that is killed in the midst of a step: another has the teststack within 15 s",
  async () => {
    const { runId, holder, follower } = await createHeldRun();
    const owner = await findOwner(runId);
    await holder.kill();
    const killed = Date.now();
    await expect.poll(() => findOwner(runId), { interval: 20, timeout: 15_000 }).not.toBe(owner);
    tell(`another had the teststack ${Date.now() - killed} ms after the kill`);
    await follower.ended;
    checkWhole(follower);
    expect(await findArtifactKind(runId)).toBe("partial");
  },
  LONG,
);

test(
  "a replica that leaves in the midst of a step finishes it, and another goes on at once",
  async () => {
    const { runId, holder, follower } = await createHeldRun();
    const told = Date.now();
    await holder.stop();
    tell(`it had left ${Date.now() - told} ms after SIGTERM`);
    await follower.ended;
    checkWhole(follower);
    expect(await findArtifactKind(runId)).toBe("complete");
    const [collected, finalised] = ["collected", "finalised"].map((wanted) =>
      Date.parse(follower.events.find(({ kind }) => kind === wanted)?.at ?? ""),
    ) as [number, number];
    tell(`another went on ${finalised - collected} ms after its last word`);
    expect(finalised - collected).toBeLessThan(5_000);
  },
  LONG,
);

/** Replicas among which new connections are shared out, as a Service does it. */
const serving = new Set<Replica>();
let turn = 0;

function pickServing(): Replica {
  turn += 1;
  return [...serving][turn % serving.size] as Replica;
}

/** A user who reads again and again, over a connection that is kept for as long as the other side does. */
class Reader {
  readonly failures: string[] = [];
  calls = 0;
  readonly #over = new AbortController();
  readonly #done: Promise<void>;

  constructor(token: string) {
    this.#done = this.#read(token);
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#done;
  }

  async #read(token: string): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let replica = pickServing(); !this.#over.signal.aborted; await sleep(10)) {
      try {
        const response = await open(`${replica.url}/trpc/runs.list?input=%7B%7D`, token, agent);
        await response.toArray();
        this.calls += 1;
        if (response.statusCode !== 200) this.failures.push(`status ${response.statusCode}`);
        if (response.headers.connection === "close") replica = pickServing();
      } catch (error) {
        this.failures.push(String(error));
        replica = pickServing();
      }
    }
    agent.destroy();
  }
}

async function open(url: string, token: string, agent?: Agent): Promise<IncomingMessage> {
  const outgoing = get(url, { headers: { authorization: `Bearer ${token}` }, ...(agent && { agent }) });
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return response;
}

/** Reads as over a thin line. Not by `fetch`, which takes a connection that ends before all is read for a failure. */
async function downloadSlowly(url: string, token: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const piece of await open(url, token)) {
    hash.update(piece);
    size += piece.length;
    await sleep(piece.length / (6 * 1024));
  }
  return { size, sha256: hash.digest("hex") };
}

/** A user who makes one run after another, and asks nothing twice. */
async function makeRuns(client: OrchestratorClient, over: AbortSignal): Promise<Follower[]> {
  const followers: Follower[] = [];
  while (!over.aborted) {
    const { certificateId } = await client.certificates.issue.mutate({ kind: "device" });
    const { runId } = await client.runs.create.mutate({ procedureId: "ALL-01", certificateId });
    const follower = new Follower(client, runId);
    followers.push(follower);
    await follower.until("started");
    await client.runs.finalise.mutate({ runId });
  }
  return followers;
}

/** Starts a run whose row another holds for longer than a replica lingers. */
async function startSlowly(client: OrchestratorClient, { runId }: Run): Promise<Run> {
  const { db } = installation.database;
  const locked = Promise.withResolvers<void>();
  const holding = db.transaction().execute(async (trx) => {
    await trx.selectFrom("run").select("id").where("id", "=", runId).forUpdate().execute();
    locked.resolve();
    await sleep(4_000);
  });
  await locked.promise;
  const [run] = await Promise.all([client.runs.start.mutate({ runId }), holding]);
  return run;
}

async function statusOf(url: string): Promise<number> {
  return (await fetch(url, { headers: { connection: "close" } })).status;
}

/** Stops the replica and starts it again while it owes two answers, of which it hears before it is told to go. */
async function restart(
  replica: Replica,
  { large, slow, token }: { large: Run; slow: Run; token: string },
): Promise<void> {
  const { client } = await installation.connect(() => replica);
  const downloading = downloadSlowly(`${replica.url}/runs/${large.runId}/artifact`, token);
  const starting = startSlowly(client, slow);
  await sleep(300);
  const told = Date.now();
  const leaving = replica.stop();
  await expect.poll(() => statusOf(`${replica.url}/readyz`), { interval: 20 }).toBe(503);
  // Word takes a moment to get round.
  await sleep(500);
  serving.delete(replica);
  await leaving;
  tell(`it had left ${Date.now() - told} ms after SIGTERM`);
  expect(await downloading).toEqual({ size: large.artifact?.size, sha256: large.artifact?.sha256 });
  expect(await starting).toMatchObject({ status: "started" });
  await replica.start();
  serving.add(replica);
}

async function createLarge(client: OrchestratorClient): Promise<Run> {
  const { run, follower } = await createLive(client, "ALL-01");
  const { runId } = run;
  await control(installation.cluster, run, { archiveMib: 24 });
  await client.runs.finalise.mutate({ runId });
  await follower.ended;
  return client.runs.get.query({ runId });
}

test(
  "a rolling restart under load: every request is answered, streams go on elsewhere, every run comes through",
  async () => {
    const { replicas, cluster } = installation;
    await Promise.all(replicas.map((replica) => replica.stop().then(() => replica.start())));
    for (const replica of replicas) serving.add(replica);
    const { client, options } = await installation.connect(pickServing);
    const token = String(options.token);
    const large = await createLarge(client);
    const waiting = await Promise.all(replicas.map(() => createLive(client, "ALL-02")));
    const over = new AbortController();
    const readers = Array.from({ length: 6 }, () => new Reader(token));
    const working = Promise.all([1, 2, 3].map(() => makeRuns(client, over.signal)));
    for (const [index, replica] of replicas.entries()) {
      await restart(replica, { large, slow: waiting[index]?.run ?? large, token });
    }
    over.abort();
    const followers = (await working).flat();
    await Promise.all(readers.map((reader) => reader.stop()));
    tell(`${readers.reduce((sum, { calls }) => sum + calls, 0)} reads and ${followers.length} runs meanwhile`);
    expect(readers.flatMap(({ failures }) => failures)).toEqual([]);
    for (const { run } of waiting) await client.runs.finalise.mutate({ runId: run.runId });
    for (const follower of [...followers, ...waiting.map((live) => live.follower)]) {
      await follower.ended;
      checkWhole(follower);
    }
    expect(await listObjects(cluster)).toEqual([]);
  },
  LONG,
);
