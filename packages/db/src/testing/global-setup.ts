import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalPostgres } from "@cactus/local-postgres";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Connection string of the test run's PostgreSQL server, as its superuser. */
    postgresUrl: string;
  }
}

/** Starts one real PostgreSQL server for a whole test run; each test file makes databases of its own in it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), "cactus-test-postgres-"));
  await chmod(home, 0o755);
  // Durability is not what the tests are about, and the data is thrown away.
  const settings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: "300" };
  const server = await startLocalPostgres({ dataDir: join(home, "data"), password: randomUUID(), settings });
  project.provide("postgresUrl", server.url);
  return async () => {
    await server[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  };
}
