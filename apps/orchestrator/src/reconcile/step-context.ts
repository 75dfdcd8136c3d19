import type { Cluster, ObjectWatch } from "@cactus/core/kubernetes";
import type { RunnerClient } from "@cactus/core/runner";
import { commitTransition, type Run, type Teststack, type Transition } from "@cactus/db";
import type { Deps } from "../deps.ts";
import type { TeststackPlans } from "../teststack-plans.ts";

/** What the reconciler works with beside {@link Deps}. */
export interface ReconcilerDeps extends Deps {
  cluster: Cluster;
  watch: ObjectWatch;
  plans: TeststackPlans;
}

/** What a step is given: the rows as they were read under the lease, and the means to write its outcome. */
export interface StepContext {
  deps: ReconcilerDeps;
  teststack: Teststack;
  run: Run | undefined;
  runner: RunnerClient;
  /** Writes the step's outcome, if nothing has moved since the rows were read. @throws {LeaseLostError} */
  commit(outcome: Outcome): Promise<void>;
}

export type Outcome = Pick<Transition, "teststack" | "events"> & { run?: NonNullable<Transition["run"]>["set"] };

/** The means to write; each write is made on top of the one before. */
export function createCommit(
  deps: Pick<Deps, "db" | "metrics">,
  owner: string,
  { teststack, run }: { teststack: Teststack; run: Run | undefined },
): StepContext["commit"] {
  let { version } = teststack;
  return async (outcome) => {
    version = await commitTransition(deps.db, {
      teststackId: teststack.id,
      owner,
      version,
      ...(outcome.teststack && { teststack: outcome.teststack }),
      ...(run && { run: { id: run.id, set: outcome.run ?? {} } }),
      ...(outcome.events && { events: outcome.events }),
    });
    if (outcome.teststack?.phase !== undefined) {
      const seconds = (Date.now() - teststack.phase_since.getTime()) / 1000;
      deps.metrics.phaseSeconds.observe({ phase: teststack.phase }, Math.max(0, seconds));
    }
  };
}

/** The step cannot be done now: it is tried again after a pause. The message may be shown to the user. */
export class NotYet extends Error {
  override readonly name = "NotYet";
}
