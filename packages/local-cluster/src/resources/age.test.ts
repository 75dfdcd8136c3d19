import { expect, test } from "vitest";
import { ageSince } from "./age.ts";

const at = (seconds: number): string =>
  ageSince("2026-01-01T00:00:00Z", new Date(Date.UTC(2026, 0, 1) + seconds * 1000));

test.each([
  [-5, "0s"],
  [0, "0s"],
  [119, "119s"],
  [120, "2m"],
  [190, "3m10s"],
  [599, "9m59s"],
  [600, "10m"],
  [3 * 3600 - 1, "179m"],
  [3 * 3600, "3h"],
  [3 * 3600 + 60, "3h1m"],
  [8 * 3600 + 60, "8h"],
  [47 * 3600, "47h"],
  [48 * 3600, "2d"],
  [51 * 3600, "2d3h"],
  [8 * 24 * 3600 + 3600, "8d"],
  [729 * 24 * 3600, "729d"],
  [730 * 24 * 3600, "2y"],
])("%d seconds are %s", (seconds, text) => expect(at(seconds)).toBe(text));

test("no time is no age", () => expect(ageSince(undefined, new Date())).toBe("<unknown>"));
