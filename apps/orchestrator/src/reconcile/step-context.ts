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
  /**
   * Writes the step's outcome, if nothing has moved since the rows were read. In a transaction that is given, it is the last
   * that the step writes.
   *
   * @throws {LeaseLostError}
   */
  commit(outcome: Outcome, db?: Deps["db"]): Promise<void>;
}

export type Outcome = Pick<Transition, "teststack" | "events"> & { run?: NonNullable<Transition["run"]>["set"] };

/** The means to write; each write is made on top of the one before. */
export function createCommit(
  deps: Pick<Deps, "db" | "metrics" | "now">,
  owner: string,
  { teststack, run }: { teststack: Teststack; run: Run | undefined },
): StepContext["commit"] {
  let { version } = teststack;
  return async (outcome, db = deps.db) => {
    const next = await commitTransition(db, {
      teststackId: teststack.id,
      owner,
      version,
      ...(outcome.teststack && { teststack: outcome.teststack }),
      ...(run && { run: { id: run.id, set: outcome.run ?? {} } }),
      ...(outcome.events && { events: outcome.events }),
    });
    // What is part of a transaction may still come to nothing, and be tried again.
    if (!db.isTransaction) version = next;
    if (outcome.teststack?.phase !== undefined) measurePhase(deps, teststack);
  };
}

/** What a teststack spent in the queue is not spent in its first phase. */
function measurePhase({ metrics, now }: Pick<Deps, "metrics" | "now">, teststack: Teststack): void {
  const { phase, phase_since, admitted_at, created_at } = teststack;
  const since = phase === "requested" && admitted_at !== null ? admitted_at : phase_since;
  metrics.phaseSeconds.observe({ phase }, Math.max(0, (now().getTime() - since.getTime()) / 1000));
  if (phase !== "requested" || admitted_at === null) return;
  metrics.queueSeconds.observe(Math.max(0, (admitted_at.getTime() - created_at.getTime()) / 1000));
}

/** The step cannot be done now: it is tried again after a pause. The message may be shown to the user. */
export class NotYet extends Error {
  override readonly name = "NotYet";
}
