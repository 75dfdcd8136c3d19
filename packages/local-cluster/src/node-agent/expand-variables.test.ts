import { expect, test } from "vitest";
import { expandVariables } from "./expand-variables.ts";

test.each([
  ["$(A)-$(B)", "1-$(B)"],
  ["$$(A)", "$(A)"],
  ["$$$(A)", "$1"],
  ["$A $( A) $(", "$A $( A) $("],
  ["$(E)|", "|"],
  ["$(toString)", "$(toString)"],
  ["100$", "100$"],
])("expands %s to %s", (text, expanded) => {
  expect(expandVariables(text, { A: "1", E: "" })).toBe(expanded);
});
