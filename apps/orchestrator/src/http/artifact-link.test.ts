import { expect, test } from "vitest";
import { buildArtifactLink, isValidArtifactLink } from "./artifact-link.ts";

const key = Buffer.alloc(32, 1);
const now = new Date("2026-11-23T00:00:00Z");
const runId = "0b5f1c3e-0000-4000-8000-000000000001";
const query = (path: string) => {
  const search = new URL(path, "http://x").searchParams;
  return { expires: search.get("expires") ?? "", signature: search.get("signature") ?? "" };
};

test("a link opens its run's artifact for five minutes, and nothing else", () => {
  const link = buildArtifactLink({ runId, key, now });
  expect(link.expiresAt).toBe("2026-11-23T00:05:00.000Z");
  expect(link.path.startsWith(`/runs/${runId}/artifact?`)).toBe(true);
  const { expires, signature } = query(link.path);
  const isValid = (changes: object, expected: object = {}) =>
    isValidArtifactLink({ expires, signature, ...changes }, { runId, key, now, ...expected });
  expect(isValid({})).toBe(true);
  expect(isValid({}, { now: new Date("2026-11-23T00:05:00.001Z") })).toBe(false);
  expect(isValid({ expires: String(Number(expires) + 1000) })).toBe(false);
  expect(isValid({}, { runId: runId.replace("1", "2") })).toBe(false);
  expect(isValid({}, { key: Buffer.alloc(32, 2) })).toBe(false);
  expect(isValid({ signature: "" })).toBe(false);
  expect(isValid({ signature: "ä".repeat(signature.length) })).toBe(false);
  expect(isValid({ expires: "soon" })).toBe(false);
});
