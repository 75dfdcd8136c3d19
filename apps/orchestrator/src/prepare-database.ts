import { setTimeout as sleep } from "node:timers/promises";
import { connect, ensureInstallation, type Installation, isDatabaseAway, migrateToLatest } from "@cactus/db";
import type { Logger } from "./log.ts";

/** Pauses between attempts: the first, and the longest. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** A migration may have to rewrite tables; whoever waits for another replica's, waits as long. */
const MIGRATION_SECONDS = 600;

/** What PostgreSQL refuses for as long as nobody mends it, by SQLSTATE (appendix A), and what to mend. */
const MISTAKES: Record<string, string> = {
  "28000": "PostgreSQL does not let this user in",
  "28P01": "PostgreSQL refuses the user or the password",
  "3D000": "PostgreSQL has no database of this name",
  "42501": "PostgreSQL does not let this user make tables",
};

export interface PrepareOptions {
  url: string;
  logger: Pick<Logger, "warn">;
  /** Ends the wait. */
  signal: AbortSignal;
}

/**
 * Brings the database to the newest schema, and waits for one that is away: with growing pauses, and a line in the log for
 * each attempt.
 *
 * @throws {Error} a sentence, when waiting would not help: a wrong password, an unknown database
 * @throws {Error} `AbortError`, when the wait was ended
 */
export async function prepareDatabase({ url, logger, signal }: PrepareOptions): Promise<Installation> {
  await using db = connect({ url, maxConnections: 2, querySeconds: MIGRATION_SECONDS });
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      await migrateToLatest(db);
      return await ensureInstallation(db);
    } catch (err) {
      if (!isDatabaseAway(err)) throw explain(err);
      logger.warn({ err, retryInMs: pauseMs }, "the database is away: the start waits for it");
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof Error && "code" in error)) return error;
  const mistake = MISTAKES[String(error.code)];
  if (mistake === undefined) return error;
  return new Error(`ORCHESTRATOR_DATABASE_URL: ${mistake} (${error.message}).`, { cause: error });
}
