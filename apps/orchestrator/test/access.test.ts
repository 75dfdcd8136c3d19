import { randomUUID } from "node:crypto";
import { generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appRouter } from "../src/app-router.ts";
import { startTestOrchestrator, type TestOrchestrator } from "./_orchestrator.ts";
import { insertRun } from "./_records.ts";

let orchestrator: TestOrchestrator;
beforeAll(async () => {
  orchestrator = await startTestOrchestrator();
});
afterAll(() => orchestrator[Symbol.asyncDispose]());

const unknownId = randomUUID();

/** A valid input for each procedure, naming what does not exist. */
const INPUTS: Record<string, unknown> = {
  "admin.orphans": undefined,
  "certificates.issue": { kind: "device" },
  "certificates.authority": undefined,
  "procedures.list": undefined,
  "runs.create": { procedureId: "ALL-01", certificateId: unknownId },
  "runs.get": { runId: unknownId },
  "runs.list": {},
  "runs.follow": { runId: unknownId },
  "runs.start": { runId: unknownId },
  "runs.finalise": { runId: unknownId },
  "runs.delete": { runId: unknownId },
  "runs.status": { runId: unknownId },
  "runs.idle": { runId: unknownId },
  "runs.extend": { runId: unknownId, seconds: 60 },
  "runs.artifactLink": { runId: unknownId },
};
const procedures = Object.keys(INPUTS).map((path) => [path] as const);

test("the table above is complete", () => {
  expect(new Set(Object.keys(INPUTS))).toEqual(new Set(Object.keys(appRouter._def.procedures)));
});

/** What a subscription answers before its first event is told in the stream; an HTTP client sees the refusal there. */
async function callAny(path: string, token: string | undefined) {
  if (path !== "runs.follow") return orchestrator.call(path, INPUTS[path], { token });
  const response = await fetch(
    `${orchestrator.url}/trpc/runs.follow?input=${encodeURIComponent(JSON.stringify(INPUTS[path]))}`,
    {
      headers: { accept: "text/event-stream", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    },
  );
  const text = await response.text();
  const { message, data } = JSON.parse(/event: serialized-error\ndata: (.*)/.exec(text)?.[1] ?? `{}`);
  return { status: response.status, error: { message, ...data } };
}

describe.each(procedures)("%s is closed to", (path) => {
  const refusals: [string, () => Promise<string | undefined>, string, RegExp][] = [
    ["no token", async () => undefined, "unauthenticated", /Authorization: Bearer/],
    ["garbage", async () => "garbage", "unauthenticated", /not one that is accepted/],
    ["an expired token", () => orchestrator.sign({ exp: 1 }), "unauthenticated", /expired/],
    ["a token without end", () => orchestrator.sign({ exp: undefined }), "unauthenticated", /"exp"/],
    ["a token for others", () => orchestrator.sign({ aud: "others" }), "unauthenticated", /"aud"/],
    ["another issuer's token", () => orchestrator.sign({ iss: "https://other.test/" }), "unauthenticated", /"iss"/],
    [
      "a token signed by another",
      async () => orchestrator.sign({}, { key: (await generateKeyPair("ES256")).privateKey }),
      "unauthenticated",
      /not one that is accepted/,
    ],
    ["an unsigned token", async () => unsigned(), "unauthenticated", /not one that is accepted/],
    ["a token without permissions", () => orchestrator.sign({ permissions: ["other:all"] }), "forbidden", /user:all/],
  ];
  test.each(refusals)("%s", async (_, makeToken, reason, message) => {
    const { status, error } = await callAny(path, await makeToken());
    expect(error).toMatchObject({ reason, message: expect.stringMatching(message) });
    expect(JSON.stringify(error)).not.toMatch(/stack|node_modules/);
    if (path !== "runs.follow") expect(status).toBe(reason === "forbidden" ? 403 : 401);
  });
});

test("what is for administrators is refused to users", async () => {
  const { status, error } = await orchestrator.call("admin.orphans", undefined, { token: await orchestrator.sign() });
  expect([status, error?.reason, error?.message]).toEqual([
    403,
    "forbidden",
    "The token lacks the permission admin:all.",
  ]);
});

async function unsigned(): Promise<string> {
  const [, payload] = (await orchestrator.sign()).split(".");
  return `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`;
}

describe.each(procedures.filter(([path]) => path.startsWith("runs.") && !["runs.list", "runs.create"].includes(path)))(
  "%s",
  (path) => {
    test("does not tell another user's run from one that does not exist", async () => {
      const run = await insertRun(orchestrator.database.db, "somebody");
      if (path === "runs.follow")
        return expect((await callAny(path, await orchestrator.sign())).error.reason).toBe("not_found");
      const input = INPUTS[path] as object;
      const foreign = await orchestrator.call(path, { ...input, runId: run.id });
      const unknown = await orchestrator.call(path, input);
      expect(foreign.status).toBe(404);
      expect(foreign.error?.message).toBe(`There is no run ${run.id}.`);
      expect(unknown.error?.message).toBe(`There is no run ${unknownId}.`);
      expect({ ...foreign.error, message: "", requestId: "" }).toEqual({
        ...unknown.error,
        message: "",
        requestId: "",
      });
    });
  },
);

test("an administrator acts on anybody's run, and it is recorded", async () => {
  const { db } = orchestrator.database;
  const run = await insertRun(db, "somebody");
  const token = await orchestrator.sign({ sub: "boss", permissions: ["admin:all"] });
  const { data } = await orchestrator.call("runs.finalise", { runId: run.id }, { token });
  expect(data).toMatchObject({ runId: run.id, status: "finalising" });
  const boss = await db.selectFrom("app_user").select("id").where("subject", "=", "boss").executeTakeFirstOrThrow();
  const events = await db
    .selectFrom("event")
    .selectAll()
    .where("run_id", "=", run.id)
    .orderBy("number", "desc")
    .execute();
  expect(events[0]).toMatchObject({ kind: "finalise_requested", detail: { by: "admin", actor: boss.id } });
});

test("permissions in a scope count as well", async () => {
  const token = await orchestrator.sign({ permissions: undefined, scope: "openid user:all" });
  expect((await orchestrator.call("runs.list", {}, { token })).status).toBe(200);
});
