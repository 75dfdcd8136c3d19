import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Deployment, startDeployment } from "./_deployment.ts";
import { between, type DeploymentUser, type LiveRun, openUser, untilServed } from "./_deployment-user.ts";
import { type Figure, measure, measureEach, percentile, reportFigures } from "./_figures.ts";
import { listObjects } from "./_mischief.ts";

const LONG = 300_000;
vi.setConfig({ testTimeout: LONG });

const figures: Figure[] = [];
let deployment: Deployment;
let user: DeploymentUser;
beforeAll(async () => {
  deployment = await startDeployment();
  user = await openUser(deployment, "bench");
  await untilServed(user);
}, LONG);
afterAll(async () => {
  await user?.[Symbol.asyncDispose]();
  await deployment?.[Symbol.asyncDispose]();
  await reportFigures(figures);
}, LONG);

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;

function middle(runs: LiveRun[], from: string, to: string): string {
  const times = runs.map((run) => between(run, from, to)).sort((a, b) => a - b);
  return `${percentile(times, 0.5).toFixed(0)} ms`;
}

async function finalise(runs: LiveRun[]): Promise<void> {
  await Promise.all(runs.map(({ run: { runId } }) => user.client.runs.finalise.mutate({ runId })));
  await Promise.all(runs.map(({ run: { runId } }) => user.untilGone(runId)));
}

test("one after another", async () => {
  const runs: LiveRun[] = [];
  for (let index = 0; index < 6; index += 1) {
    const live = await user.untilLive(await user.create());
    // The first one finds nothing warm.
    if (index > 0) runs.push(live);
    await finalise([live]);
  }
  figures.push(
    { what: "on Kubernetes, alone: requested to created, p50", value: middle(runs, "requested", "created") },
    { what: "on Kubernetes, alone: the Pod's own start, p50", value: middle(runs, "created", "ready") },
    { what: "on Kubernetes, alone: the edge's own reload, p50", value: middle(runs, "ready", "routed") },
    { what: "on Kubernetes, alone: routed to started, p50", value: middle(runs, "routed", "started") },
  );
});

test("50 at once", async () => {
  const { certificateId } = await user.client.certificates.issue.mutate({ kind: "device" });
  const certificate = await user.client.certificates.issue.mutate({ kind: "device" });
  const runIds: string[] = [];
  let runs: LiveRun[] = [];
  const spawn = await measure(async () => {
    const answers = await measureEach(50, 50, async () => {
      const { runId } = await user.client.runs.create.mutate({ procedureId: "ALL-01", certificateId });
      runIds.push(runId);
    });
    figures.push({
      what: "on Kubernetes, 50 at once: answer of runs.create, p99",
      value: `${percentile(answers, 0.99).toFixed(0)} ms`,
    });
    runs = await Promise.all(runIds.map((runId) => user.untilLive({ runId, certificate })));
  });
  const teardown = await measure(() => finalise(runs));
  figures.push(
    { what: "on Kubernetes, 50 at once: all started", value: seconds(spawn), target: "all" },
    { what: "on Kubernetes, 50 at once: all finalised and gone", value: seconds(teardown), target: "0 left" },
  );
  expect(await listObjects(deployment)).toEqual([]);
});
