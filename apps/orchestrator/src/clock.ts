import { type Database, type Kysely, readTime } from "@cactus/db";
import type { Logger } from "./log.ts";

/** How often the database is asked for its time. */
const ASK_MS = 60_000;
/** An answer that took longer says too little of what time it is. */
const LONGEST_ANSWER_MS = 1_000;

export interface Clock extends Disposable {
  now(): Date;
}

/**
 * The database's time, in which all that is stored is dated: asked for now and then, and carried on in between by a clock
 * that nobody sets. So a machine whose own clock jumps ends no run before its time, and replicas agree.
 */
export async function openClock(db: Kysely<Database>, logger: Pick<Logger, "warn">): Promise<Clock> {
  let offset = Date.now() - performance.now();

  async function ask(): Promise<void> {
    const before = performance.now();
    const time = await readTime(db);
    const after = performance.now();
    if (after - before < LONGEST_ANSWER_MS) offset = time.getTime() - (before + after) / 2;
  }

  const tryToAsk = (): Promise<void> =>
    ask().catch((err: unknown) => logger.warn({ err }, "could not ask the database for the time"));
  await tryToAsk();
  const timer = setInterval(tryToAsk, ASK_MS);
  return {
    now: () => new Date(offset + performance.now()),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
