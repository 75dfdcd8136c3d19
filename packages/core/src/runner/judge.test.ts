import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hasTest, judgeCriteria, lastClientInteraction, toUserText } from "./judge.ts";
import { runnerStatusSchema } from "./messages.ts";

/** A recorded answer of a real cactus-runner: what stands after the first empty line. */
function recorded(name: string): unknown {
  const text = readFileSync(new URL(`../../test/runner-samples/${name}.txt`, import.meta.url), "utf8");
  return JSON.parse(text.slice(text.indexOf("{")));
}

const statusOf = (name: string) => runnerStatusSchema.parse(recorded(name));

test.each([
  ["02-status-idle", { test: false, met: true, steps: 0 }],
  ["06-status-after-init-ALL-01", { test: true, met: false, steps: 4 }],
  ["11-status-after-requests-ALL-01", { test: true, met: false, steps: 4 }],
  ["16-status-after-finalise", { test: false, met: true, steps: 0 }],
  ["25-status-ALL-12-started", { test: true, met: false, steps: 5 }],
  ["50-status-after-restart", { test: false, met: true, steps: 0 }],
  ["72-v1.12.4-status-started", { test: true, met: false, steps: 5 }],
])("%s of a real runner is read", (name, expected) => {
  const status = statusOf(name);
  const steps = Object.keys(status.stepStatus).length;
  expect({ test: hasTest(status), met: judgeCriteria(status), steps }).toEqual(expected);
});

test("an answer in snake_case reads the same, and names of steps stay as they are", () => {
  const inSnakeCase = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inSnakeCase);
    if (value === null || typeof value !== "object") return value;
    const rename = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const isStep = (key: string) => /^[A-Z-]+$/.test(key);
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [isStep(key) ? key : rename(key), inSnakeCase(entry)]),
    );
  };
  const original = recorded("11-status-after-requests-ALL-01");
  const { endDeviceMetadata: _, logEnvoy: __, ...expected } = runnerStatusSchema.parse(original);
  expect(runnerStatusSchema.parse(inSnakeCase(original))).toMatchObject(expected);
  const odd = runnerStatusSchema.parse({ step_status: { GET_dcap_1: { started_at: "x" } }, request_history: null });
  expect(odd).toMatchObject({ stepStatus: { GET_dcap_1: { startedAt: "x", completedAt: null } }, requestHistory: [] });
});

const passing = { criteria: [{ success: true, type: "t", details: "" }], testProcedureName: "ALL-01" };
test.each([
  ["all met", passing, true],
  ["no criteria", { criteria: [] }, true],
  ["one not met", { criteria: [{ success: true }, { success: false }] }, false],
  ["one undecided", { criteria: [{ success: true }, { success: null }] }, null],
  ["one not met beside one undecided", { criteria: [{ success: null }, { success: false }] }, false],
  ["malformed XML received", { ...passing, requestHistory: [{ requestId: 1, bodyXmlErrors: ["no XML"] }] }, false],
])("criteria: %s", (_, status, expected) => {
  expect(judgeCriteria(runnerStatusSchema.parse(status))).toBe(expected);
});

test("only a client's request counts as its interaction", () => {
  const withInteraction = (interactionType: string, timestamp: string) =>
    lastClientInteraction(runnerStatusSchema.parse({ lastClientInteraction: { interactionType, timestamp } }));
  expect(withInteraction("Request Proxied", "2026-11-23T09:02:01.917571Z")).toEqual(
    new Date("2026-11-23T09:02:01.917Z"),
  );
  expect(withInteraction("Test Procedure Started", "2026-11-23T09:02:01Z")).toBeUndefined();
  expect(withInteraction("Request Proxied", "yesterday")).toBeUndefined();
  expect(lastClientInteraction(runnerStatusSchema.parse({}))).toBeUndefined();
});

test("texts for users are short and without certificates", () => {
  const pem = "-----BEGIN CERTIFICATE-----\nMIIB\nAAAA\n-----END CERTIFICATE-----";
  expect(toUserText(`Failed:\n  ${pem} was sent`)).toBe("Failed: [certificate] was sent");
  expect(toUserText(`cut -----BEGIN EC PRIVATE KEY-----\nMIIB`)).toBe("cut [certificate]");
  expect(toUserText("x".repeat(1000))).toHaveLength(300);
});
