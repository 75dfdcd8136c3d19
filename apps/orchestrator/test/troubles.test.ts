import type { V1StatefulSet } from "@kubernetes/client-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Entry, fromBuffer } from "yauzl";
import { askEdge } from "./_edge.ts";
import { control, getPod, startTestInstallation, type TestInstallation } from "./_installation.ts";
import { withTemplate } from "./_template.ts";

describe.each(["statefulset", "pod"])("an instance that is a %s", (workload) => {
  let installation: TestInstallation;
  beforeAll(async () => {
    installation = await startTestInstallation({
      TESTSTACK_WORKLOAD: workload,
      TESTSTACK_COLLECT_TIMEOUT_SECONDS: "3",
      TESTSTACK_SPAWN_TIMEOUT_SECONDS: "5",
      IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: "1",
      RUNNER_UNREACHABLE_TIMEOUT_SECONDS: "3",
    });
  });
  afterAll(() => installation[Symbol.asyncDispose]());
  afterEach(async () => {
    await expect.poll(() => installation.listObjects(), { timeout: 30_000 }).toEqual([]);
  });

  /** Names and texts of what is in a run's zip. */
  async function openZip(runId: string): Promise<Map<string, string>> {
    const { orchestrator, user } = installation;
    const headers = { authorization: `Bearer ${user.token}` };
    const response = await fetch(`${orchestrator.url}/runs/${runId}/artifact`, { headers });
    const bytes = Buffer.from(await response.arrayBuffer());
    return new Promise((resolve, reject) => {
      fromBuffer(bytes, { lazyEntries: true }, (error, zip) => {
        if (error) return reject(error);
        const files = new Map<string, string>();
        zip.on("entry", (entry: Entry) => {
          zip.openReadStream(entry, (failure, stream) => {
            if (failure) return reject(failure);
            stream.toArray().then((pieces) => {
              files.set(entry.fileName, Buffer.concat(pieces).toString("utf8"));
              zip.readEntry();
            }, reject);
          });
        });
        zip.on("end", () => resolve(files)).on("error", reject);
        zip.readEntry();
      });
    });
  }

  const setEnv = (name: string, value: string) => (set: V1StatefulSet) =>
    set.spec?.template.spec?.containers[0]?.env?.push({ name, value });

  test("a container that ends takes its test with it: noticed by event, with evidence", async () => {
    const { user, cluster } = installation;
    const { run, certificate } = await user.createLive("ALL-01");
    await askEdge(cluster, { path: new URL(run.testUrl ?? "").pathname, certificate });
    await control(cluster, run, { crashAfterSeconds: 0.01, crashExitCode: 7 });
    const failed = await user.until(run.runId, ({ status }) => status === "failed");
    expect(failed.failure).toMatchObject({
      reason: "container_restarted",
      message: expect.stringContaining("exit code 7"),
    });
    const ended = await user.untilGone(run.runId);
    expect(ended).toMatchObject({ status: "failed", allCriteriaMet: null, artifact: { kind: "partial" } });
    const zip = await openZip(run.runId);
    expect([...zip.keys()].map((name) => name.replace(/ts-\w+(-0)?/, "POD"))).toEqual(
      expect.arrayContaining([
        "README.txt",
        "events.json",
        "procedure.yaml",
        "cluster/POD.json",
        "cluster/POD.events.json",
        "logs/POD.envoy.previous.log",
      ]),
    );
    expect(JSON.parse(zip.get("teststack.json") ?? "")).toMatchObject({
      workload,
      template: expect.any(String),
      templateHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      stages: expect.arrayContaining([{ kind: "ready", secondsBefore: expect.any(Number) }]),
    });
    expect(zip.get("README.txt")).toContain("exit code 7");
  });

  test("a Pod that is deleted by hand fails its run, and the new one is not mistaken for it", async () => {
    const { user, cluster } = installation;
    const { run } = await user.createLive("ALL-01");
    const { metadata } = await getPod(cluster, run);
    await cluster.client.core.deleteNamespacedPod({ namespace: "test-execution", name: metadata?.name ?? "" });
    expect((await user.untilGone(run.runId)).failure?.reason).toMatch(/^pod_(deleted|replaced)$/);
  });

  test("a runner that restarted inside its container is found by the sweep, with what it still tells", async () => {
    const { user, cluster } = installation;
    const { run } = await user.createLive("ALL-01");
    await control(cluster, run, "respawn");
    expect(await user.untilGone(run.runId)).toMatchObject({
      failure: {
        reason: "runner_restarted",
        message: "The runner restarted inside its container and has forgotten the test.",
      },
      artifact: { kind: "partial" },
    });
  });

  test("a runner that restarted is found by a call too", async () => {
    const { user, cluster } = installation;
    const { run } = await user.createLive("ALL-01");
    await control(cluster, run, "respawn");
    await user.call("runs.status", { runId: run.runId });
    expect((await user.untilGone(run.runId)).failure?.reason).toBe("runner_restarted");
  });

  test("a runner that has not answered for too long is given up; until then it is neither idle nor alive", async () => {
    const { user, cluster } = installation;
    const { run } = await user.createLive("ALL-01");
    await control(cluster, run, { silent: true });
    const status = await user.call("runs.status", { runId: run.runId });
    expect(status.error).toMatchObject({
      reason: "unavailable",
      message: "The runner does not answer. Try again in a moment.",
    });
    expect(await user.untilGone(run.runId)).toMatchObject({
      failure: { reason: "runner_unreachable" },
      artifact: { kind: "partial" },
    });
  });

  test("finalise of a silent runner waits for its limit, then keeps what there is, and says so", async () => {
    const { user, cluster } = installation;
    const { run } = await user.createLive("ALL-01");
    await control(cluster, run, { silent: true });
    await user.ask("runs.finalise", { runId: run.runId });
    expect(await user.untilGone(run.runId)).toMatchObject({
      status: "finalised",
      artifact: { kind: "partial" },
      failure: {
        reason: "result_incomplete",
        message: "The runner did not answer any more, so its archive could not be fetched.",
      },
    });
  });

  test.each([
    ["breaks off half way", { archiveMib: 4, finalizeCutBytes: 1_000_000 }],
    ["is closed before its first byte", { finalizeKilled: true }],
  ])("an archive that %s is gone for ever: what the runner still tells is kept", async (_, faults) => {
    const { user, cluster } = installation;
    const { run, certificate } = await user.createLive("ALL-01");
    const path = new URL(run.testUrl ?? "").pathname;
    for (const page of ["dcap", "edev", "tm", "edev/1/der"])
      await askEdge(cluster, { path: path.replace("dcap", page), certificate });
    await control(cluster, run, faults);
    await user.ask("runs.finalise", { runId: run.runId });
    const ended = await user.untilGone(run.runId);
    // The verdict comes from the last status, which was stored before the call.
    expect(ended).toMatchObject({
      status: "finalised",
      allCriteriaMet: true,
      artifact: { kind: "partial" },
      failure: { reason: "result_incomplete", message: expect.stringContaining("answers finalize only once") },
    });
    const zip = await openZip(run.runId);
    expect(zip.get("requests/000-GET-DCAP.request")).toContain("GET /dcap");
    expect(JSON.parse(zip.get("status.json") ?? "")).toMatchObject({ statusSummary: "4/4 steps complete." });
  });

  test("an archive that is only errors is kept as it is", async () => {
    const { user, cluster } = installation;
    const { run } = await user.createLive("ALL-01");
    await control(cluster, run, { errorArchive: true });
    await user.ask("runs.finalise", { runId: run.runId });
    expect(await user.untilGone(run.runId)).toMatchObject({ status: "finalised", artifact: { kind: "complete" } });
    expect([...(await openZip(run.runId)).keys()]).toEqual(["errors.txt"]);
  });

  test("a precondition that fails at initialise ends the run in the runner's words, with the archive", async () => {
    await withTemplate(installation, setEnv("INITIALISE_FAILS", "412"), async () => {
      const { user } = installation;
      const { runId } = await user.create("ALL-01");
      const ended = await user.untilGone(runId);
      expect(ended).toMatchObject({
        status: "failed",
        failure: { reason: "precondition_failed" },
        artifact: { kind: "complete" },
      });
      expect(ended.failure?.message.length).toBeGreaterThan(10);
    });
  });

  test("a runner that fails inside ends the run without its traceback", async () => {
    await withTemplate(installation, setEnv("INITIALISE_FAILS", "500"), async () => {
      const { user } = installation;
      const { runId } = await user.create("ALL-01");
      expect(await user.untilGone(runId)).toMatchObject({
        failure: { reason: "runner_refused", message: "The runner did not accept the test procedure." },
      });
      expect(JSON.stringify(await user.story(runId))).not.toMatch(/Traceback|File "/);
    });
  });

  test("a runner that is never healthy is told apart, and ends in time", async () => {
    await withTemplate(installation, setEnv("UNHEALTHY", "true"), async () => {
      const { user } = installation;
      const { runId } = await user.create("ALL-01");
      const ended = await user.untilGone(runId);
      expect(ended.failure).toMatchObject({
        reason: "spawn_timeout",
        message: expect.stringMatching(/not ready within 5 s/),
      });
    });
  });

  test("an image that cannot be had is said while it is waited for, and in the failure", async () => {
    const change = (set: V1StatefulSet): void => {
      for (const container of set.spec?.template.spec?.containers ?? []) container.image = "no/such-image:1";
    };
    await withTemplate(installation, change, async () => {
      const { user } = installation;
      const { runId } = await user.create("ALL-01");
      const ended = await user.untilGone(runId);
      expect(ended.failure?.message).toMatch(
        /not ready within 5 s: container envoy: (ErrImagePull|ImagePullBackOff).*no\/such-image:1/,
      );
      const told = (await user.story(runId)).filter(({ kind }) => kind === "waiting").map(({ message }) => message);
      expect(told.join()).toMatch(/ErrImagePull|ImagePullBackOff/);
    });
  });
});
