import { randomUUID } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { inject } from "vitest";
import { connect, type Database } from "../database.ts";
import { migrateToLatest } from "../migrator.ts";
import type {} from "./global-setup.ts";

export interface TestDatabase extends AsyncDisposable {
  readonly db: Kysely<Database>;
  readonly url: string;
}

/**
 * A database of its own in the test run's PostgreSQL server, dropped when disposed.
 * Migrated by the production migrator, unless `empty` is asked for.
 */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const server = inject("postgresUrl");
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await onServer(server, `create database ${name}`);
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href;
  const db = connect({ url, maxConnections: 10 });
  if (options.empty !== true) await migrateToLatest(db);
  return {
    db,
    url,
    async [Symbol.asyncDispose]() {
      await db.destroy();
      await onServer(server, `drop database ${name} with (force)`);
    },
  };
}

async function onServer(url: string, statement: string): Promise<void> {
  const db = connect({ url, maxConnections: 1 });
  await sql.raw(statement).execute(db);
  await db.destroy();
}
