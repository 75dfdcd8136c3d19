import { sql } from "kysely";
import { expect, test } from "vitest";
import { connect } from "../src/database.ts";
import { isDatabaseAway } from "../src/database-away.ts";
import { createTestDatabase } from "../src/testing/index.ts";

test("a connection that is lost while it is in use fails its query and nothing else; the next one works", async () => {
  await using database = await createTestDatabase({ empty: true });
  const errors: Error[] = [];
  const db = connect({ url: database.url, maxConnections: 1, onIdleError: (error) => errors.push(error) });
  const lost = db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
    // Between two queries nobody waits for an answer that could fail.
    await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(database.db);
    await expect.poll(() => errors.length, { timeout: 10_000 }).toBeGreaterThan(0);
    await sql`select 1`.execute(trx);
  });
  const error = await lost.catch((reason: unknown) => reason);
  expect(isDatabaseAway(error)).toBe(true);
  expect((await sql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
  await db.destroy();
});
