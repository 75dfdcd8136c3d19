import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestCluster, type TestCluster } from "./_cluster.ts";
import { followRun, idsOf, upTo } from "./_follow.ts";
import { control } from "./_installation.ts";
import { expectResult, gone, insist, settled } from "./_settled.ts";
import { type Neighbour, openSite, type Site } from "./_site.ts";
import type { Trouble } from "./_trouble.ts";

/** How long each trouble lasts. */
const TROUBLE_MS = 3_000;
/** A call that needs what is away is answered within this, whatever happens. */
const ANSWERED_MS = 30_000;

vi.setConfig({ testTimeout: 180_000 });

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

const TROUBLES: [string, Trouble][] = [
  // The longest first: they are run a few at a time.
  ["is a black hole", { kind: "black hole" }],
  ["breaks off its answers", { kind: "reset", afterBytes: 600 }],
  ["refuses", { kind: "refused" }],
  ["has little bandwidth", { kind: "throttle", bytesPerSecond: 20_000 }],
  ["is slow", { kind: "latency", milliseconds: 200 }],
];
const NEIGHBOURS: Neighbour[] = ["Kubernetes", "Postgres", "runner"];
/** Each strikes at a moment of its own. */
const CASES = TROUBLES.flatMap(([what, trouble]) => NEIGHBOURS.map((neighbour) => ({ neighbour, what, trouble }))).map(
  (row, index) => ({ ...row, momentMs: (index * 170) % 1_500 }),
);

/** Asks for what an operator asks for, who needs it most in trouble. */
async function observe({ url }: Site): Promise<void> {
  const began = performance.now();
  const [ready, metrics] = await Promise.all([fetch(`${url}/readyz`), fetch(`${url}/metrics`)]);
  expect([200, 503]).toContain(ready.status);
  expect(await metrics.text()).toMatch(/^cactus_watch_age_seconds \d/m);
  expect(performance.now() - began).toBeLessThan(8_000);
}

/** Asks for everything a user may ask for; each answer is whole, or tells that it is to be asked for again. */
async function askDuring(site: Site, runId: string): Promise<void> {
  for (const path of ["runs.get", "runs.status", "runs.idle", "runs.list"]) {
    const began = performance.now();
    const { status, error, retryAfter } = await site.user.call(path, path === "runs.list" ? {} : { runId });
    const shown = `${path} answered ${status} (${error?.message})`;
    expect(performance.now() - began, shown).toBeLessThan(ANSWERED_MS);
    if (error === undefined) continue;
    expect([status, error.reason, retryAfter], shown).toEqual([503, "unavailable", "2"]);
    expect(error.message, shown).toMatch(/^The (database|runner)[a-z ]*[.:].*$/);
  }
}

test.concurrent("an archive that stops coming half way is given up, and the run ends with what there is", async () => {
  await using site = await openSite(cluster);
  const { user, database } = site;
  const { run } = await user.createLive("ALL-01");
  await control(cluster, run, { archiveMib: 4 });
  site.trouble("runner", { kind: "throttle", bytesPerSecond: 500_000 });
  await user.ask("runs.finalise", { runId: run.runId });
  await vi.waitFor(
    async () => {
      const row = await database.db.selectFrom("run").select("finalize_called_at").executeTakeFirst();
      expect(row?.finalize_called_at).not.toBeNull();
    },
    { timeout: 20_000 },
  );
  await sleep(1_500);
  site.trouble("runner", { kind: "black hole" });
  await sleep(500);
  site.trouble("runner", { kind: "none" });
  const ended = await gone(site, run.runId);
  expect(ended.artifact?.kind).toBe("partial");
  expectResult(ended, "maybe cut");
  expect(await site.listObjects()).toEqual([]);
});

test.concurrent("a result that comes while the database is away is held until it is back", async () => {
  await using site = await openSite(cluster);
  const { user, database } = site;
  const { run } = await user.createLive("ALL-01");
  await control(cluster, run, { finalizeSeconds: 1.5 });
  await user.ask("runs.finalise", { runId: run.runId });
  await vi.waitFor(
    async () => {
      const row = await database.db.selectFrom("run").select("finalize_called_at").executeTakeFirst();
      expect(row?.finalize_called_at).not.toBeNull();
    },
    { timeout: 20_000, interval: 10 },
  );
  site.trouble("Postgres", { kind: "refused" });
  await sleep(4_000);
  site.trouble("Postgres", { kind: "none" });
  expectResult(await gone(site, run.runId), "whole");
  expect(await site.listObjects()).toEqual([]);
});

test.concurrent.each(CASES)(
  "$neighbour $what for a while: runs that begin, live or end are none the worse",
  async ({ neighbour, trouble, momentMs }) => {
    await using site = await openSite(cluster);
    const { user } = site;
    const { run: live } = await user.createLive("ALL-01");
    const { run: ending } = await user.createLive("ALL-01");
    const { runId: beginning } = await user.create("ALL-01");
    const following = followRun({ url: site.url, token: user.token, runId: beginning });
    await sleep(momentMs);
    await user.ask("runs.finalise", { runId: ending.runId });
    site.trouble(neighbour, trouble);
    await Promise.all([sleep(TROUBLE_MS), observe(site), askDuring(site, live.runId)]);
    const finalised = insist(site, "runs.finalise", { runId: live.runId });
    await sleep(TROUBLE_MS / 4);
    site.trouble(neighbour, { kind: "none" });
    await finalised;

    await settled(site, beginning, ({ status }) => status === "started");
    await insist(site, "runs.finalise", { runId: beginning });
    expectResult(await gone(site, beginning), "whole");
    // What the runner has answered is held for a database that is away.
    const mayCut = neighbour !== "Postgres" && trouble.kind !== "latency" && trouble.kind !== "throttle";
    expectResult(await gone(site, live.runId), mayCut && trouble.kind === "reset" ? "maybe cut" : "whole");
    expectResult(await gone(site, ending.runId), mayCut ? "maybe cut" : "whole");
    expect(await site.listObjects()).toEqual([]);
    await following.ended;
    expect(idsOf(following.events)).toEqual(upTo(following.events.length));
    expect(following.events.at(-1)?.kind).toBe("gone");
    expect(following.interruptions.join()).not.toContain("Something went wrong inside");
  },
);
