import { afterAll, beforeAll, expect, test } from "vitest";
import { type Following, followRun, idsOf, upTo } from "./_follow.ts";
import { startTestInstallation, type TestInstallation } from "./_installation.ts";
import { startTcpProxy } from "./_tcp-proxy.ts";

let installation: TestInstallation;
beforeAll(async () => {
  installation = await startTestInstallation();
});
afterAll(() => installation[Symbol.asyncDispose]());

/** Follows as a client does; `url` may lead through a proxy. */
function follow(runId: string, options: { url?: string; lastEventId?: string } = {}): Following {
  const { orchestrator, user } = installation;
  return followRun({ url: orchestrator.url, token: user.token, runId, ...options });
}

test("a run is followed from its first event to its last, live, and the stream ends with the run", async () => {
  const { user } = installation;
  const { runId } = await user.create("ALL-01");
  const following = follow(runId);
  await user.until(runId, ({ status }) => status === "started");
  await expect.poll(() => following.events.at(-1)?.kind).toBe("started");
  await user.ask("runs.finalise", { runId });
  await following.ended;
  expect(idsOf(following.events)).toEqual(upTo(following.events.length));
  expect(following.events.at(-1)).toMatchObject({ kind: "gone", message: "The teststack is removed." });
  const times = following.events.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => a.localeCompare(b)));
  expect(times[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  const late = follow(runId);
  await late.ended;
  expect(late.events).toEqual(following.events);
  const rest = follow(runId, { lastEventId: "3" });
  await rest.ended;
  expect(rest.events).toEqual(following.events.slice(3));
});

test("a connection that is cut again and again loses no event and repeats none", async () => {
  const { user, orchestrator } = installation;
  const { hostname, port } = new URL(orchestrator.url);
  await using proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  const { runId } = await user.create("ALL-01");
  const following = follow(runId, { url: `http://127.0.0.1:${proxy.port}` });
  for (const kind of ["requested", "started"]) {
    await expect.poll(() => following.events.map((event) => event.kind), { timeout: 20_000 }).toContain(kind);
    proxy.cut();
    proxy.restore();
  }
  await user.ask("runs.finalise", { runId });
  await following.ended;
  expect(idsOf(following.events)).toEqual(upTo(following.events.length));
  expect(following.events.at(-1)?.kind).toBe("gone");
});

test("a follower that leaves is forgotten", async () => {
  const { user, orchestrator } = installation;
  const { run } = await user.createLive("ALL-01");
  const count = async () =>
    /cactus_followers (\d+)/.exec(await (await fetch(`${orchestrator.url}/metrics`)).text())?.[1];
  const followers = [1, 2, 3].map(() => follow(run.runId));
  await expect.poll(count).toBe("3");
  for (const follower of followers) follower.stop();
  await expect.poll(count).toBe("0");
  await user.ask("runs.finalise", { runId: run.runId });
  await user.untilGone(run.runId);
});
