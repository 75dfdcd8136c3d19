import { expect, test } from "vitest";
import type { ContainerStatus, PodSpec } from "./pod-model.ts";
import { planContainers } from "./pod-plan.ts";

/** How a container is: `-` not started yet, `+` running, `*` running and started, a number its exit code. */
type How = "-" | "+" | "*" | `${number}`;

function status(name: string, how: How): ContainerStatus {
  const known = { name, image: "", imageID: "", ready: false, restartCount: 0, started: how === "*" };
  if (how === "-") return { ...known, state: { waiting: { reason: "ContainerCreating" } } };
  if (how === "+" || how === "*") return { ...known, state: { running: {} } };
  return { ...known, state: { waiting: {} }, lastState: { terminated: { exitCode: Number(how) } } };
}

const spec = (restartPolicy: string): PodSpec => ({
  restartPolicy,
  initContainers: [{ name: "one" }, { name: "side", restartPolicy: "Always" }, { name: "two" }],
  containers: [{ name: "a" }, { name: "b" }],
});

const plan = (policy: string, how: How[], completed: string[], hasBegun: boolean): string => {
  const names = ["one", "side", "two", "a", "b"];
  const find = (name: string) => status(name, how[names.indexOf(name)] ?? "-");
  const { start, isOver } = planContainers(spec(policy), { find, completed: new Set(completed), hasBegun });
  return isOver ? "over" : start.join(" ");
};

test.each<[what: string, expected: string, ...situation: Parameters<typeof plan>]>([
  ["first the first", "one", "Always", ["-", "-", "-", "-", "-"], [], false],
  ["nothing while it runs", "", "Always", ["*", "-", "-", "-", "-"], [], false],
  ["it again when it failed", "one", "Always", ["1", "-", "-", "-", "-"], [], false],
  ["nothing ever when it failed and may not run again", "over", "Never", ["1", "-", "-", "-", "-"], [], false],
  ["then the sidecar", "side", "Always", ["0", "-", "-", "-", "-"], ["one"], false],
  ["nothing before the sidecar is started", "", "Always", ["0", "+", "-", "-", "-"], ["one"], false],
  ["then the second", "two", "Always", ["0", "*", "-", "-", "-"], ["one"], false],
  ["a sidecar that ended, and nothing beside it", "side", "Always", ["0", "1", "-", "-", "-"], ["one"], false],
  ["then all the others", "a b", "Always", ["0", "*", "0", "-", "-"], ["one", "two"], false],
  ["what is left to start", "b", "Always", ["0", "*", "0", "*", "-"], ["one", "two"], true],
  ["what ended, always", "a b", "Always", ["0", "*", "0", "0", "1"], ["one", "two"], true],
  ["what failed, on failure", "b", "OnFailure", ["0", "*", "0", "0", "1"], ["one", "two"], true],
  ["nothing that ended, never", "", "Never", ["0", "*", "0", "*", "1"], ["one", "two"], true],
  ["nothing once all are done", "over", "OnFailure", ["0", "*", "0", "0", "0"], ["one", "two"], true],
  ["nothing once all have ended, never", "over", "Never", ["0", "1", "0", "1", "0"], ["one", "two"], true],
  ["init containers again after a start from nothing", "one", "Always", ["0", "1", "0", "1", "1"], [], false],
])("starts %s", (_, expected, ...situation) => {
  expect(plan(...situation)).toBe(expected);
});
