import { expect, test } from "vitest";
import { startKillableInstallation } from "./_orchestrator-process.ts";

interface Line {
  level: string;
  msg: string;
  step?: string;
  run?: string;
  teststack?: string;
  user?: string;
  requestId?: string;
}

test("each transition is one line of the log, with run, teststack, user and the request that wished it; no secret is in it", async () => {
  await using installation = await startKillableInstallation({ LOG_LEVEL: "info" });
  const { user } = installation;
  const { run, certificate } = await user.createLive("ALL-01");
  const finalise = await fetch(`${installation.url}/trpc/runs.finalise`, {
    method: "POST",
    headers: { authorization: `Bearer ${user.token}`, "content-type": "application/json" },
    body: JSON.stringify({ runId: run.runId }),
  });
  const requestId = finalise.headers.get("x-request-id");
  await user.untilGone(run.runId);
  const lines = (): Line[] =>
    installation.log
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  const steps = () => lines().filter(({ msg }) => msg === "step done");
  await expect.poll(() => steps().at(-1)?.step).toBe("confirm-gone");
  const told = steps();
  expect(told.map(({ step }) => step)).toEqual([
    ...["create", "check-health", "prove-route", "initialise"],
    ...["end", "collect", "settle", "delete", "confirm-gone"],
  ]);
  expect(new Set(told.map((line) => line.run))).toEqual(new Set([run.runId]));
  expect(new Set(told.map(({ teststack }) => teststack)).size).toBe(1);
  expect(new Set(told.map((line) => line.user)).size).toBe(1);
  expect(told.slice(4).every((line) => line.requestId === requestId)).toBe(true);
  expect(told[0]?.requestId).not.toBe(requestId);
  expect(
    told.every((line) => [line.teststack, line.user, line.requestId].every((id) => /^[0-9a-f-]{36}$/.test(id ?? ""))),
  ).toBe(true);
  for (const secret of [user.token, certificate.privateKeyPem.split("\n")[1] ?? "", "PRIVATE KEY", "postgresql://"]) {
    expect(installation.log).not.toContain(secret);
  }
}, 90_000);
