import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "../src/routes/run-view.ts";
import { askEdge } from "./_edge.ts";
import { startTestInstallation, type TestInstallation } from "./_installation.ts";

/** What an instance may be made from, and what it may be. */
describe.each([
  ["a cloned template", {}],
  ["a Pod of its own", { TESTSTACK_WORKLOAD: "pod" }],
  ["a generated template", { TESTSTACK_SOURCE: "generated" }],
  ["a generated Pod of its own", { TESTSTACK_SOURCE: "generated", TESTSTACK_WORKLOAD: "pod" }],
])("%s", (_, variables: Record<string, string>) => {
  let installation: TestInstallation;
  beforeAll(async () => {
    installation = await startTestInstallation(variables);
  });
  afterAll(() => installation[Symbol.asyncDispose]());

  const pathOf = (run: RunView, page: string): string => new URL(page, run.testUrl ?? "").pathname;

  async function downloadArtifact(run: RunView): Promise<Buffer> {
    const { orchestrator, user } = installation;
    const response = await fetch(`${orchestrator.url}/runs/${run.runId}/artifact`, {
      headers: { authorization: `Bearer ${user.token}` },
    });
    expect(response.status).toBe(200);
    return Buffer.from(await response.arrayBuffer());
  }

  test("a test from request to zip: every stage told, the device served, the result kept, nothing left", async () => {
    const { user, cluster } = installation;
    const { run, certificate } = await user.createLive("ALL-01");
    expect(run).toMatchObject({ status: "started", finalisedBy: null, allCriteriaMet: null, hasArtifact: false });
    expect(run.testUrl).toMatch(/^https:\/\/localhost:\d+\/ts-[a-z0-9]{12}\/dcap$/);

    const name = new URL(run.testUrl ?? "").pathname.split("/")[1];
    for (const page of ["dcap", "edev", "tm", "edev/1/der"]) {
      const answer = await askEdge(cluster, { path: `/${name}/${page}`, certificate });
      expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/sep+xml"]);
      expect(answer.body).toContain(`href="/${name}/`);
    }
    const status = await user.ask<{ live: boolean; summary: string; allCriteriaMet: boolean }>("runs.status", {
      runId: run.runId,
    });
    expect(status).toMatchObject({ live: true, summary: "4/4 steps complete.", allCriteriaMet: true });

    expect(await user.ask("runs.finalise", { runId: run.runId })).toMatchObject({ status: "finalising" });
    const ended = await user.untilGone(run.runId);
    expect(ended).toMatchObject({
      status: "finalised",
      finalisedBy: "client",
      allCriteriaMet: true,
      failure: null,
      hasArtifact: true,
    });
    const zip = await downloadArtifact(ended);
    expect(createHash("sha256").update(zip).digest("hex")).toBe(ended.artifact?.sha256);
    expect(ended.artifact).toMatchObject({ kind: "complete", size: zip.length });
    expect(await installation.listObjects()).toEqual([]);
    expect(await user.ask("runs.status", { runId: run.runId })).toMatchObject({
      live: false,
      summary: "4/4 steps complete.",
    });
    const kinds = (await user.story(run.runId)).map(({ kind }) => kind).filter((kind) => kind !== "waiting");
    expect(kinds).toEqual([
      ...["requested", "created", "ready", "routed", "initialised", "started"],
      ...["finalise_requested", "collecting", "collected", "finalised", "deleting", "gone"],
    ]);
  });

  test("a test that waits for its start: refused in the runner's words, then started, and again without harm", async () => {
    const { user, cluster } = installation;
    const { run, certificate } = await user.createLive("GEN-01");
    const { runId } = run;
    expect(run.status).toBe("initialised");
    const refusals = await Promise.all([1, 2, 3].map(() => user.call("runs.start", { runId })));
    for (const { status, error } of refusals) {
      expect(status).toBe(412);
      expect(error).toMatchObject({
        reason: "precondition_failed",
        message: expect.stringContaining("No EndDevice is currently registered"),
      });
    }
    const body = `<EndDevice xmlns="urn:ieee:std:2030.5:ns"><lFDI>${certificate.lfdi.toUpperCase()}</lFDI><sFDI>1</sFDI><changedTime>0</changedTime></EndDevice>`;
    const headers = { "content-type": "application/sep+xml" };
    const registered = await askEdge(cluster, {
      path: pathOf(run, "edev"),
      method: "POST",
      headers,
      body,
      certificate,
    });
    expect(registered.status).toBe(201);
    const starts = await Promise.all([1, 2, 3].map(() => user.ask<RunView>("runs.start", { runId })));
    for (const started of starts)
      expect(started).toMatchObject({ runId, status: "started", startedAt: expect.any(String) });
    expect((await user.story(runId)).filter(({ kind }) => kind === "started")).toHaveLength(1);
    await user.ask("runs.finalise", { runId });
    expect(await user.untilGone(runId)).toMatchObject({ status: "finalised", allCriteriaMet: false });
    const afterwards = await user.call("runs.start", { runId });
    expect(afterwards.error).toMatchObject({
      reason: "conflict",
      message: expect.stringContaining("The run is finalised"),
    });
  });

  test("50 finalises at once have one outcome and the same answer", async () => {
    const { user } = installation;
    const { run } = await user.createLive("ALL-01");
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => user.ask<RunView>("runs.finalise", { runId: run.runId })),
    );
    for (const answer of answers) expect(["finalising", "finalised"]).toContain(answer.status);
    expect(await user.untilGone(run.runId)).toMatchObject({ status: "finalised", artifact: { kind: "complete" } });
    const story = await user.story(run.runId);
    for (const kind of ["finalise_requested", "collected", "finalised", "gone"]) {
      expect(story.filter((event) => event.kind === kind)).toHaveLength(1);
    }
    expect(await user.ask("runs.finalise", { runId: run.runId })).toMatchObject({ status: "finalised" });
  });

  test("finalise before there is a test ends the run without a result, and leaves nothing", async () => {
    const { user } = installation;
    const { runId } = await user.create("ALL-01");
    await user.ask("runs.finalise", { runId });
    const run = await user.untilGone(runId);
    expect(run).toMatchObject({ status: "finalised", finalisedBy: "client" });
    expect(await installation.listObjects()).toEqual([]);
  });

  test("delete removes a live run with what it has, also while it is finalising, and again without harm", async () => {
    const { user, orchestrator } = installation;
    const { run } = await user.createLive("ALL-01");
    const { runId } = run;
    const { db } = orchestrator.database;
    const ended = async () =>
      (await db.selectFrom("run").select("ended_at").where("id", "=", runId).executeTakeFirstOrThrow()).ended_at;
    await user.ask("runs.finalise", { runId });
    await Promise.all([user.ask("runs.delete", { runId }), user.ask("runs.delete", { runId })]);
    await expect.poll(ended, { timeout: 30_000 }).not.toBeNull();
    expect((await user.call("runs.get", { runId })).status).toBe(404);
    expect((await user.ask<{ runs: RunView[] }>("runs.list", {})).runs.map((listed) => listed.runId)).not.toContain(
      runId,
    );
    expect(await db.selectFrom("artifact").selectAll().where("run_id", "=", runId).execute()).toEqual([]);
    expect(await installation.listObjects()).toEqual([]);
    expect(await user.ask("runs.delete", { runId })).toMatchObject({ runId });
  });

  test("a spawn costs three writes to Kubernetes, and its end one; neither asks the database without end", async () => {
    const { user, orchestrator } = installation;
    const count = async (): Promise<{ writes: number; queries: number }> => {
      const metrics = await (await fetch(`${orchestrator.url}/metrics`)).text();
      const sum = (pattern: RegExp) =>
        [...metrics.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
      return {
        writes: sum(/^cactus_kubernetes_requests_total\{method="(?:POST|PUT|PATCH|DELETE)"\} (\d+)/gm),
        queries: sum(/^cactus_database_queries_total (\d+)/gm),
      };
    };
    const before = await count();
    const { run } = await user.createLive("ALL-02");
    const live = await count();
    expect(live.writes - before.writes).toBe(3);
    await user.ask("runs.finalise", { runId: run.runId });
    await user.untilGone(run.runId);
    const after = await count();
    expect(after.writes - before.writes).toBe(4);
    // About 90 and 60, those of the tasks that come meanwhile and of our asking among them.
    expect(live.queries - before.queries).toBeLessThan(300);
    expect(after.queries - live.queries).toBeLessThan(300);
  });

  test("the same idempotency key gives the same run", async () => {
    const { user } = installation;
    const { certificateId } = await user.issue();
    const input = { procedureId: "ALL-01", certificateId, idempotencyKey: "once" };
    const runs = await Promise.all([1, 2, 3].map(() => user.ask<RunView>("runs.create", input)));
    expect(new Set(runs.map((run) => run.runId)).size).toBe(1);
    await user.ask("runs.finalise", { runId: runs[0]?.runId });
    await user.untilGone(runs[0]?.runId ?? "");
  });
});
