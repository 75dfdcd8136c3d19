import { finishTask, leaseTask } from "@cactus/db";
import type { Deps } from "../deps.ts";

/** Something to do again and again, by one replica at a time. */
export interface Task {
  name: string;
  repeatEverySeconds: number;
  run: () => Promise<void>;
}

const TICK_MS = 1_000;
/** A replica that hangs in a task holds it up for no longer than this; one that is gone, for a few seconds. */
const LEASE_SECONDS = 60;

/**
 * Ticks each second; the `task` table says what is due, so that intervals of any length work, a restart neither skips nor
 * repeats, and replicas do not do a task twice. A task that fails is logged and comes again at its next time.
 */
export function startTasks(deps: Pick<Deps, "db" | "logger" | "replicaId">, tasks: Task[]): AsyncDisposable {
  const owner = deps.replicaId;
  const running = new Map<string, Promise<void>>();

  async function runIfDue(task: Task): Promise<void> {
    const lease = { name: task.name, owner };
    const { repeatEverySeconds } = task;
    try {
      if (!(await leaseTask(deps.db, { ...lease, leaseSeconds: LEASE_SECONDS, repeatEverySeconds }))) return;
      await task.run().catch((error: unknown) => deps.logger.error({ err: error, task: task.name }, "a task failed"));
      await finishTask(deps.db, { ...lease, repeatEverySeconds });
    } catch (error) {
      deps.logger.warn({ err: error, task: task.name }, "could not ask whether a task is due");
    }
  }

  // Not by the machine's clock, which may be set.
  const ticking = setInterval(() => {
    for (const task of tasks) {
      if (running.has(task.name)) continue;
      running.set(
        task.name,
        runIfDue(task).finally(() => running.delete(task.name)),
      );
    }
  }, TICK_MS);

  return {
    async [Symbol.asyncDispose]() {
      clearInterval(ticking);
      await Promise.all(running.values());
    },
  };
}
