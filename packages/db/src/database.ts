import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import type { AppUserTable } from "./schema/app-user.ts";
import type { ArtifactChunkTable, ArtifactTable } from "./schema/artifact.ts";
import type { ClientCertificateTable } from "./schema/client-certificate.ts";
import type { EventTable } from "./schema/event.ts";
import type { InstallationTable } from "./schema/installation.ts";
import type { RunTable } from "./schema/run.ts";
import type { RunGroupTable } from "./schema/run-group.ts";
import type { TaskTable } from "./schema/task.ts";
import type { TeststackTable } from "./schema/teststack.ts";

export interface Database {
  app_user: AppUserTable;
  artifact: ArtifactTable;
  artifact_chunk: ArtifactChunkTable;
  client_certificate: ClientCertificateTable;
  event: EventTable;
  installation: InstallationTable;
  run: RunTable;
  run_group: RunGroupTable;
  task: TaskTable;
  teststack: TeststackTable;
}

export interface ConnectOptions {
  /** `postgresql://…`; SQLAlchemy's `postgresql+asyncpg://…` and the like are accepted as well. */
  url: string;
  /** Most connections held at once. */
  maxConnections?: number;
  /** Told of errors on idle connections, which the pool replaces by itself. */
  onIdleError?: (error: Error) => void;
}

/** Opens a pool of connections. Nothing is sent before the first query; call `destroy()` when done. */
export function connect(options: ConnectOptions): Kysely<Database> {
  const pool = new pg.Pool({
    connectionString: toPostgresUrl(options.url),
    max: options.maxConnections ?? 20,
    connectionTimeoutMillis: 5_000,
    idle_in_transaction_session_timeout: 120_000,
    keepAlive: true,
    application_name: "cactus-orchestrator",
  });
  const onError = options.onIdleError ?? (() => {});
  pool.on("error", onError);
  // A connection that is lost while it is in use tells its query, and itself once more: unheard, that would end the process.
  pool.on("connect", (client) => client.on("error", onError));
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

/** Drops the driver that SQLAlchemy puts into its URLs (`postgresql+asyncpg://` becomes `postgresql://`). */
export function toPostgresUrl(url: string): string {
  return url.replace(/^(postgres(?:ql)?)\+[a-z0-9_]+:\/\//i, "$1://");
}
