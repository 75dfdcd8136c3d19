import { expect, test } from "vitest";
import { eventually } from "../../test/_eventually.ts";
import { Prober, type ProberOptions } from "./prober.ts";

/** Runs a prober against a list of outcomes (true is success; the last goes on) and notes what it says. */
function run(outcomes: boolean[], options: Partial<ProberOptions> & Pick<ProberOptions, "probe">) {
  const said: string[] = [];
  const tried: number[] = [];
  const prober = new Prober({
    isCatchingUp: false,
    attempt: async () => {
      tried.push(performance.now());
      return (outcomes.length > 1 ? outcomes.shift() : outcomes[0]) ? undefined : "down";
    },
    onFailure: (why) => said.push(why),
    onOutcome: (isSuccess) => said.push(isSuccess ? "SUCCESS" : "FAILURE"),
    ...options,
  });
  return { prober, said, tried };
}

const quick = { periodSeconds: 0.02 };

test("tells each failure, and the outcome when the threshold is reached", async () => {
  const probe = { ...quick, failureThreshold: 3, successThreshold: 2 };
  const { prober, said, tried } = run([true, true, true, false, true, false, false, false, false, true], { probe });
  await eventually(() => said.filter((word) => word === "SUCCESS").length).toBe(2);
  prober[Symbol.dispose]();
  const count = tried.length;
  expect(said).toEqual(["SUCCESS", "down", "down", "down", "down", "FAILURE", "down", "SUCCESS"]);
  await eventually(() => performance.now() - (tried.at(-1) ?? 0)).toBeGreaterThan(60);
  expect(tried.length).toBe(count);
});

test("catches up until the first success, and such tries do not count as failures", async () => {
  const probe = { periodSeconds: 1000, failureThreshold: 2 };
  const { prober, said, tried } = run([false, false, false, true], { probe, isCatchingUp: true });
  await eventually(() => said).toEqual(["down", "SUCCESS"]);
  expect(tried.length).toBe(4);
  prober[Symbol.dispose]();
});

test("waits for its first try as long as it is told", async () => {
  const { prober, tried, said } = run([true], { probe: { ...quick, initialDelaySeconds: 0.3 } });
  const createdAt = performance.now();
  await eventually(() => said).toEqual(["SUCCESS"]);
  expect((tried[0] ?? 0) - createdAt).toBeGreaterThan(250);
  prober[Symbol.dispose]();
});
