import { sql } from "kysely";
import { expect, test } from "vitest";
import { connect } from "../src/database.ts";
import { migrations } from "../src/migrations/index.ts";
import { migrateToLatest } from "../src/migrator.ts";
import { ensureInstallation } from "../src/queries/installation.ts";
import { createTestDatabase } from "../src/testing/index.ts";

test("several replicas migrate at once: each migration is applied once, and all see one installation", async () => {
  await using database = await createTestDatabase({ empty: true });
  const replicas = Array.from({ length: 4 }, () => connect({ url: database.url, maxConnections: 2 }));
  const applied = await Promise.all(replicas.map(migrateToLatest));
  expect(applied.flat()).toEqual(Object.keys(migrations));
  const installations = await Promise.all(replicas.map(ensureInstallation));
  expect(new Set(installations.map((installation) => installation.id)).size).toBe(1);
  expect(installations[0]?.link_key).toHaveLength(32);
  await Promise.all(replicas.map((replica) => replica.destroy()));
});

test("the URL may name a SQLAlchemy driver", async () => {
  await using database = await createTestDatabase({ empty: true });
  const db = connect({ url: database.url.replace("postgresql://", "postgresql+asyncpg://") });
  expect((await sql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
  await db.destroy();
});
