import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunView } from "../src/routes/run-view.ts";
import { startTestInstallation, type TestInstallation, type TestUser } from "./_installation.ts";
import { startTestOrchestrator } from "./_orchestrator.ts";

let installation: TestInstallation;
beforeAll(async () => {
  installation = await startTestInstallation({
    INSTANCES_MAX: "3",
    INSTANCES_MAX_PER_USER: "2",
    QUEUE_MAX: "4",
    QUEUE_MAX_PER_USER: "3",
    IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS: "600",
    TESTSTACK_SPAWN_TIMEOUT_SECONDS: "20",
  });
});
afterAll(() => installation[Symbol.asyncDispose]());

async function createMany(user: TestUser, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) ids.push((await user.create("ALL-01")).runId);
  return ids;
}

async function kinds(user: TestUser, runId: string | undefined): Promise<string[]> {
  return (await user.story(runId ?? "")).map(({ kind }) => kind);
}

async function finalise(user: TestUser, ...runIds: (string | undefined)[]): Promise<void> {
  await Promise.all(runIds.map((runId) => user.ask("runs.finalise", { runId })));
  await Promise.all(runIds.map((runId) => user.untilGone(runId ?? "")));
}

test("above the limit a run waits in the queue, says so, and gets its turn; a full queue is a clear answer", async () => {
  const { user, newUser } = installation;
  const other = await newUser("other");
  const [first, second, third, fourth, fifth] = await createMany(user, 5);
  for (const runId of [first, second]) await user.until(runId ?? "", ({ status }) => status === "started");
  expect(await user.get(third ?? "")).toMatchObject({ status: "provisioning", queuePlace: 1, testUrl: null });
  expect(await user.get(fifth ?? "")).toMatchObject({ queuePlace: 3 });
  expect((await user.story(third ?? "")).at(-1)).toMatchObject({
    kind: "queued",
    message: "You have 2 live instances, as many as one user may have: number 1 in the queue.",
    detail: { place: 1, heldUpBy: "user", estimatedSeconds: null },
  });

  const { certificateId } = await user.issue();
  const refused = await user.call("runs.create", { procedureId: "ALL-01", certificateId });
  expect([refused.status, refused.error]).toMatchObject([
    429,
    { reason: "too_many_requests", message: expect.stringContaining("as many runs in the queue") },
  ]);

  // Another user does not wait behind the first one's queue.
  const { run } = await other.createLive("ALL-01");

  // One in the queue can be given up, and moves the others up.
  await finalise(user, third);
  expect(await kinds(user, third)).not.toContain("created");
  expect((await user.get(third ?? "")).queuePlace).toBeNull();

  await finalise(user, first);
  await user.until(fourth ?? "", ({ status }) => status === "started");
  expect(await kinds(user, fourth)).toEqual(expect.arrayContaining(["queued", "admitted", "created", "started"]));
  expect((await user.get(fourth ?? "")).queuePlace).toBeNull();
  await expect
    .poll(async () => (await user.story(fifth ?? "")).at(-1)?.message, { timeout: 20_000 })
    .toMatch(/number 1 in the queue, about \d+ \S+ until the test is ready\.$/);
  await finalise(user, second, fourth);
  await finalise(user, fifth);
  await finalise(other, run.runId);
  expect(await installation.listObjects()).toEqual([]);
}, 120_000);

test("what waits in the queue is neither late nor old: its time begins with its place", async () => {
  const { user } = installation;
  const { db } = installation.orchestrator.database;
  const [first, second, waiting] = await createMany(user, 3);
  // As if it had waited for longer than a spawn, and a life, may take.
  const longAgo = new Date(Date.now() - 3_600_000);
  await db
    .updateTable("run")
    .set({ created_at: longAgo })
    .where("id", "=", waiting ?? "")
    .execute();
  const { teststack_id } = await db
    .selectFrom("run")
    .select("teststack_id")
    .where("id", "=", waiting ?? "")
    .executeTakeFirstOrThrow();
  await db
    .updateTable("teststack")
    .set({ created_at: longAgo })
    .where("id", "=", teststack_id ?? "")
    .execute();
  await finalise(user, first);
  await user.until(waiting ?? "", ({ status }) => status === "started");
  const { signals } = await user.ask<{ signals: { createdAt: string } }>("runs.idle", { runId: waiting });
  expect(Date.parse(signals.createdAt)).toBeGreaterThan(Date.now() - 60_000);
  await finalise(user, second, waiting);
}, 120_000);

test("an idempotency key stands for one run, also when the queue is full meanwhile, and for no other request", async () => {
  const { user } = installation;
  const { certificateId } = await user.issue();
  const request = { procedureId: "ALL-01", certificateId, idempotencyKey: "once" };
  const { runId } = await user.ask<RunView>("runs.create", request);
  const others = await createMany(user, 4);
  expect((await user.ask<RunView>("runs.create", request)).runId).toBe(runId);
  const changed = await user.call("runs.create", { ...request, procedureId: "ALL-02" });
  expect(changed.error).toMatchObject({ reason: "conflict", message: expect.stringContaining("idempotencyKey") });
  await finalise(user, runId, ...others);
}, 120_000);

test("a caller who asks too often is told when to try again; others are not held up", async () => {
  await using orchestrator = await startTestOrchestrator({ CALLS_PER_MINUTE_MAX_PER_USER: "20" });
  const token = await orchestrator.sign({ sub: "busy" });
  const answers = await Promise.all(Array.from({ length: 25 }, () => orchestrator.call("runs.list", {}, { token })));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(5);
  expect(refused[0]?.error).toMatchObject({
    reason: "too_many_requests",
    message: expect.stringMatching(/try again in \d+ s/),
  });
  const headers = { authorization: `Bearer ${token}` };
  const batch = await fetch(`${orchestrator.url}/trpc/runs.list,runs.list?batch=1&input={}`, { headers });
  expect(batch.status).toBe(429);
  expect(Number(batch.headers.get("retry-after"))).toBeGreaterThan(0);
  const other = await orchestrator.call("runs.list", {}, { token: await orchestrator.sign({ sub: "calm" }) });
  expect(other.status).toBe(200);
});

test("a user's open streams are bounded", async () => {
  const { user, orchestrator } = installation;
  const { run } = await user.createLive("ALL-01");
  const url = `${orchestrator.url}/trpc/runs.follow?input=${encodeURIComponent(JSON.stringify({ runId: run.runId }))}`;
  const leave = new AbortController();
  const follow = ({ signal }: AbortController) =>
    fetch(url, { headers: { authorization: `Bearer ${user.token}` }, signal });
  const open = await Promise.all(Array.from({ length: 200 }, () => follow(leave)));
  expect(open.every(({ status }) => status === 200)).toBe(true);
  const refused = await follow(leave);
  expect(await refused.text()).toMatch(/serialized-error.*You follow 200 runs at once.*too_many_requests/s);
  leave.abort();
  await expect
    .poll(
      async () => {
        const ended = new AbortController();
        let text = "";
        for await (const piece of (await follow(ended)).body?.pipeThrough(new TextDecoderStream()) ?? []) {
          text += piece;
          if (/serialized-error|"requested"/.test(text)) break;
        }
        ended.abort();
        return text;
      },
      { timeout: 10_000 },
    )
    .toContain("Test run requested.");
  await finalise(user, run.runId);
}, 60_000);
