import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestOrchestrator, type TestOrchestrator } from "./_orchestrator.ts";
import { insertCertificate } from "./_records.ts";

let orchestrator: TestOrchestrator;
beforeAll(async () => {
  orchestrator = await startTestOrchestrator();
});
afterAll(() => orchestrator[Symbol.asyncDispose]());

const GARBAGE = [null, 7, true, [], {}, "", "x", "../..", "'; drop table run; --", "\u0000", "x".repeat(5_000), "ä☃"];
const id = randomUUID();

/** Every field of every input, with a valid value for the others. */
const FIELDS: [path: string, field: string, others: object, alsoValid?: unknown[]][] = [
  ["certificates.issue", "kind", {}],
  ["certificates.issue", "csr", { kind: "device" }],
  ["runs.create", "procedureId", { certificateId: id }],
  ["runs.create", "certificateId", { procedureId: "ALL-01" }],
  ["runs.create", "idempotencyKey", { procedureId: "ALL-01", certificateId: id }],
  ["runs.get", "runId", {}],
  ["runs.start", "runId", {}],
  ["runs.finalise", "runId", {}],
  ["runs.delete", "runId", {}],
  ["runs.status", "runId", {}],
  ["runs.idle", "runId", {}],
  ["runs.extend", "runId", { seconds: 60 }],
  ["runs.extend", "seconds", { runId: id }],
  ["runs.artifactLink", "runId", {}],
  ["runs.list", "status", {}],
  ["runs.list", "limit", {}, [7]],
  ["runs.list", "cursor", {}, [null]],
];

test.each(FIELDS)(
  "%s: garbage in %s gets an error that names the field, or that the thing is not there",
  async (path, field, others, alsoValid = []) => {
    const token = await orchestrator.sign();
    for (const garbage of GARBAGE.filter((value) => !alsoValid.includes(value))) {
      const { status, error } = await orchestrator.call(path, { ...others, [field]: garbage }, { token });
      const shown = `${field} = ${JSON.stringify(garbage).slice(0, 40)}: ${status} ${error?.message?.slice(0, 200)}`;
      expect([400, 404, 413, 503], shown).toContain(status);
      expect(error?.reason, shown).toMatch(/^(invalid_input|not_found|unavailable)$/);
      if (error?.reason === "invalid_input" && status === 400) expect(error.message, shown).toContain(field);
      expect(JSON.stringify(error), shown).not.toMatch(/node_modules|syntax error|pg_|at .*\.ts/);
    }
  },
);

test("a body that is no JSON, too long, or for another method is refused in words", async () => {
  const headers = { authorization: `Bearer ${await orchestrator.sign()}`, "content-type": "application/json" };
  const post = (body: string) => fetch(`${orchestrator.url}/trpc/runs.create`, { method: "POST", headers, body });
  for (const [body, status] of [
    ["{", 400],
    [`"${"x".repeat(300_000)}"`, 413],
  ] as const) {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(await response.text()).not.toMatch(/node_modules|\bat\b .*\.ts/);
  }
  expect((await fetch(`${orchestrator.url}/trpc/runs.create`, { headers })).status).toBe(405);
  expect((await fetch(`${orchestrator.url}/trpc/no.such`, { headers })).status).toBe(404);
  expect((await fetch(`${orchestrator.url}/elsewhere`)).status).toBe(404);
});

test("a run is refused for what it names: an unknown procedure, an unknown or expired certificate", async () => {
  const token = await orchestrator.sign({ sub: "owner" });
  const certificateId = await insertCertificate(orchestrator.database.db, "owner");
  const expired = await insertCertificate(orchestrator.database.db, "owner", "2026-02-01T00:00:00Z");
  const create = async (input: object) => (await orchestrator.call("runs.create", input, { token })).error?.message;
  // Without a cluster nothing can be created: said before anything is written.
  expect(await create({ procedureId: "ALL-01", certificateId })).toBe("No cluster is configured.");
  expect(await create({ procedureId: "ALL-01", certificateId: expired })).toBe("No cluster is configured.");
  expect(await orchestrator.database.db.selectFrom("run").selectAll().execute()).toEqual([]);
});

test("what needs a cluster is unavailable without one, and says so", async () => {
  expect((await orchestrator.call("certificates.issue", { kind: "device" })).error).toMatchObject({
    reason: "unavailable",
    message: "Certificates cannot be issued now: no cluster is configured.",
  });
});

test("an error inside is told by its request id alone, which the log and the header have too", async () => {
  await using broken = await startTestOrchestrator();
  await broken.database.db.schema.alterTable("run").renameTo("walk").execute();
  const { status, error } = await broken.call("runs.list", {});
  expect(status).toBe(500);
  expect(error).toMatchObject({ reason: "internal", code: "INTERNAL_SERVER_ERROR" });
  expect(error?.message).toBe(`Something went wrong inside. The log has it under request id ${error?.requestId}.`);
  expect(error?.requestId).toMatch(/^[0-9a-f-]{36}$/);
});
