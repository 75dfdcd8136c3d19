import { expect, test } from "vitest";
import { parseProcedure } from "./procedure.ts";

const yaml = `
Description: Finds the server
Category: Registration
Classes: [A, DR-A]
TargetVersions: [v1.2, v1.3]
Preconditions:
  immediate_start: true
  init_actions:
    - type: set-comms-rate
      parameters: { dcap_poll_seconds: 60, edev_list_poll_seconds: 300, unknown_seconds: 9000 }
    - type: other
      parameters: { dcap_poll_seconds: 7200 }
Criteria: { checks: [] }
Steps:
  GET-DCAP:
    event: { type: GET-request-received, parameters: { endpoint: /dcap } }
    actions:
      - type: set-comms-rate
        parameters: { mup_post_seconds: 3600, dcap_poll_seconds: $(x) }
  LAST: { event: {} }
`;

test("reads what we use of a procedure and keeps its text whole", () => {
  expect(parseProcedure("ALL-03-REJ", yaml)).toEqual({
    id: "ALL-03-REJ",
    description: "Finds the server",
    category: "Registration",
    classes: ["A", "DR-A"],
    targetVersions: ["v1.2", "v1.3"],
    immediateStart: true,
    longestPollSeconds: 3600,
    yaml,
  });
});

test("what is not said is not invented", () => {
  const plain = "Description: d\nCategory: c\nClasses: []\nTargetVersions: [v1.2]\nSteps: {}\n";
  expect(parseProcedure("P-01", plain)).toMatchObject({ immediateStart: false, longestPollSeconds: undefined });
});

test.each([
  ["all-01", yaml, "no procedure id"],
  ["../ALL-01", yaml, "no procedure id"],
  ["ALL-01", "a: [1, 2", "Flow sequence"],
  ["ALL-01", "just text", "expected object"],
  ["ALL-01", "", "expected object"],
  ["ALL-01", yaml.replace("Category", "Kategorie"), "Category"],
  ["ALL-01", yaml.replace("[v1.2, v1.3]", "[]"), "TargetVersions"],
])("%s is refused in words when it is broken (%#)", (id, text, message) => {
  expect(() => parseProcedure(id, text)).toThrow(message);
});
