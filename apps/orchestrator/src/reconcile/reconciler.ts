import { setTimeout as sleep } from "node:timers/promises";
import { retryAfterMs } from "@cactus/core/kubernetes";
import { nextStep, type Situation } from "@cactus/core/lifecycle";
import {
  findArtifact,
  findRunOfTeststack,
  findTeststack,
  keepWake,
  LeaseLostError,
  leaseTeststack,
  listDueTeststacks,
  listTeststacks,
  RENEW_SECONDS,
  releaseTeststack,
  renewLease,
  wakeTeststack,
} from "@cactus/db";
import { toCallerError } from "../caller-error.ts";
import { type Action, act } from "./act.ts";
import { toSituation } from "./observe.ts";
import { createCommit, NotYet, type ReconcilerDeps, type StepContext } from "./step-context.ts";
import { WorkQueue } from "./work-queue.ts";

/** Teststacks that one replica works on at once. */
const CONCURRENCY = 64;
/** A replica that hangs holds up its teststacks for no longer than this; one that is gone, for a few seconds. */
const LEASE_SECONDS = 15;
/** How often the database is asked for teststacks that are due: notifications come first, this comes for certain. */
const POLL_MS = 1_000;
const POLL_LIMIT = 500;
/** From this attempt on, the user is told what is waited for. */
const TELL_AFTER_ATTEMPTS = 4;
/** Pause after the database did not even let us begin. */
const WAKE_AGAIN_MS = 1_000;
/** Work under way may take this long when the replica is stopped: a runner answers its one finalise within 75 s. */
const DRAIN_MS = 80_000;

/**
 * Moves every teststack, one small step after another, from what the cluster has to what the database wants. The only
 * place that changes a teststack. What it does for one it does under a lease, so that replicas do not meet.
 */
export class Reconciler implements AsyncDisposable {
  readonly #deps: ReconcilerDeps;
  readonly #owner: string;
  readonly #queue: WorkQueue;
  readonly #poll: NodeJS.Timeout;
  /** What was last said about what is waited for. */
  readonly #said = new Map<string, string>();
  /** Teststacks of which the cluster has told something that has not been looked at yet. */
  readonly #told = new Set<string>();
  #stopping = false;
  #sawCluster = false;

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
    this.#owner = deps.replicaId;
    this.#queue = new WorkQueue((id, waitedSeconds) => {
      deps.metrics.reconcileLagSeconds.observe(waitedSeconds);
      return this.#reconcile(id);
    }, CONCURRENCY);
    this.#poll = setInterval(() => void this.wakeDue(), POLL_MS);
  }

  /** Teststacks that wait to be looked at. */
  get queueLength(): number {
    return this.#queue.length;
  }

  /** Has a look at the teststack soon. */
  wake(teststackId: string): void {
    this.#queue.add(teststackId);
  }

  /**
   * Has a look at the teststack soon, for the cluster has news of it. Whoever holds it may not have heard of them, and may
   * never: where it is held, the news are kept for after.
   */
  tell(teststackId: string): void {
    this.#told.add(teststackId);
    this.wake(teststackId);
  }

  /** Has a look at all teststacks that are due; once the cluster has been seen for the first time, at all there are. */
  async wakeDue(): Promise<void> {
    const { db, logger, watch } = this.#deps;
    try {
      const seeAll = watch.synced && !this.#sawCluster;
      const ids = seeAll ? (await listTeststacks(db)).map(({ id }) => id) : await listDueTeststacks(db, POLL_LIMIT);
      if (seeAll) this.#sawCluster = true;
      for (const id of ids) this.wake(id);
    } catch (error) {
      logger.warn({ err: error }, "could not ask the database for due teststacks");
    }
  }

  /** Finishes the steps under way, gives the leases back and stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#poll);
    await Promise.race([this.#queue[Symbol.asyncDispose](), sleep(DRAIN_MS, undefined, { ref: false })]);
  }

  async #reconcile(teststackId: string): Promise<void> {
    const { db, logger, now } = this.#deps;
    const lease = { teststackId, owner: this.#owner };
    try {
      const leased = await leaseTeststack(db, { ...lease, leaseSeconds: LEASE_SECONDS });
      const isTold = this.#told.delete(teststackId);
      if (leased === undefined) return isTold ? await keepWake(db, teststackId) : undefined;
      const renewal = setInterval(() => {
        renewLease(db, { ...lease, leaseSeconds: LEASE_SECONDS }).catch((error) =>
          logger.warn({ err: error }, "renewal"),
        );
      }, RENEW_SECONDS * 1000);
      const pauseMs = await this.#advance(teststackId).finally(() => clearInterval(renewal));
      const nextAttemptAt = pauseMs === undefined ? null : new Date(now().getTime() + pauseMs);
      await releaseTeststack(db, { ...lease, nextAttemptAt });
      if (this.#stopping) await wakeTeststack(db, teststackId);
      else if (pauseMs !== undefined) this.#queue.addAfter(teststackId, pauseMs);
    } catch (error) {
      if (error instanceof LeaseLostError) logger.info({ teststack: teststackId }, "another replica has taken over");
      else {
        logger.error({ err: error, teststack: teststackId }, "could not work on a teststack");
        // What it was woken for (a Pod that is ready) may not be told again.
        this.#queue.addAfter(teststackId, pauseFor(1, WAKE_AGAIN_MS, WAKE_AGAIN_MS));
      }
    }
  }

  /** Takes steps until there is none to take. Returns after how long to look again, if not only when woken. */
  async #advance(teststackId: string): Promise<number | undefined> {
    while (!this.#stopping) {
      const { context, situation } = await this.#look(teststackId);
      const step = nextStep(situation);
      if (step.do === "wait") {
        await this.#tellWaiting(context, situation);
        return step.until && Math.max(0, step.until.getTime() - situation.now.getTime());
      }
      const pauseMs = await this.#try(step, context);
      if (pauseMs !== undefined) return pauseMs;
    }
    return 0;
  }

  async #look(teststackId: string): Promise<{ context: StepContext; situation: Situation }> {
    const deps = this.#deps;
    const teststack = await findTeststack(deps.db, teststackId);
    if (teststack === undefined) throw new LeaseLostError(`teststack ${teststackId} has vanished`);
    const run = await findRunOfTeststack(deps.db, teststackId);
    const collecting = teststack.phase === "collecting" && run !== undefined;
    const hasArtifact = collecting && (await findArtifact(deps.db, run.id)) !== undefined;
    const limits = {
      spawnTimeoutSeconds: deps.config.TESTSTACK_SPAWN_TIMEOUT_SECONDS,
      collectTimeoutSeconds: deps.config.TESTSTACK_COLLECT_TIMEOUT_SECONDS,
    };
    const situation = toSituation({ teststack, run, hasArtifact, watch: deps.watch, now: deps.now(), limits });
    const runner = deps.runnerOf(teststack);
    const commit = createCommit(deps, this.#owner, { teststack, run });
    return { situation, context: { deps, teststack, run, runner, commit } };
  }

  /** Does a step. Returns the pause after which to try again when it could not be done. */
  async #try(step: Action, context: StepContext): Promise<number | undefined> {
    const { teststack, deps } = context;
    try {
      await act(step, context);
      deps.logger.info({ ...describe(context), step: step.do }, "step done");
      return undefined;
    } catch (error) {
      if (error instanceof LeaseLostError) throw error;
      const attempts = teststack.attempts + 1;
      deps.metrics.stepFailures.inc({ step: step.do });
      deps.logger.warn({ err: error, ...describe(context), step: step.do, attempts }, "step to be tried again");
      const message = error instanceof NotYet ? error.message : (toCallerError(error)?.message ?? UNKNOWN_TROUBLE);
      const tell = error instanceof NotYet ? attempts === TELL_AFTER_ATTEMPTS : this.#isNews(teststack.id, message);
      await context.commit({
        teststack: { attempts },
        events: tell ? [{ kind: "waiting", message, detail: { step: step.do } }] : [],
      });
      if (error instanceof NotYet) return pauseFor(attempts, 50, 1_000);
      return Math.max(pauseFor(attempts, 500, 10_000), retryAfterMs(error));
    }
  }

  #isNews(teststackId: string, text: string): boolean {
    const isNews = this.#said.get(teststackId) !== text;
    this.#said.set(teststackId, text);
    return isNews;
  }

  /** Lets the followers know what a starting Pod waits for, whenever that changes. */
  async #tellWaiting({ commit, teststack }: StepContext, { pod }: Situation): Promise<void> {
    if (teststack.phase !== "created" || pod.state !== "starting" || pod.waitingFor === undefined) {
      this.#said.delete(teststack.id);
      return;
    }
    if (!this.#isNews(teststack.id, pod.waitingFor)) return;
    await commit({ events: [{ kind: "waiting", message: `Waiting for the Pod: ${pod.waitingFor}.`, detail: {} }] });
  }
}

const UNKNOWN_TROUBLE = "Something does not work inside; trying again.";

/** Doubles with each attempt; a random part keeps many from coming back together. */
function pauseFor(attempts: number, firstMs: number, longestMs: number): number {
  const pause = Math.min(firstMs * 2 ** (attempts - 1), longestMs);
  return pause * (0.75 + Math.random() / 2);
}

/** Whose a line of the log is. */
function describe({ teststack, run }: StepContext): object {
  return { teststack: teststack.id, run: run?.id, user: run?.user_id, requestId: run?.request_id };
}
