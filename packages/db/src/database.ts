import { Kysely, PostgresDialect } from "kysely";
import { type ConnectionLimits, openPool } from "./pool.ts";
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

export interface ConnectOptions extends ConnectionLimits {
  /** `postgresql://…`; SQLAlchemy's `postgresql+asyncpg://…` and the like are accepted as well. */
  url: string;
  /** Told of errors on idle connections, which the pool replaces by itself. */
  onIdleError?: (error: Error) => void;
  /** Told of every statement, for counting. */
  onQuery?: () => void;
}

/** Opens a pool of connections. Nothing is sent before the first query; call `destroy()` when done. */
export function connect({ url, onIdleError, onQuery, ...limits }: ConnectOptions): Kysely<Database> {
  const told = { onError: onIdleError ?? (() => {}), onQuery: onQuery ?? (() => {}) };
  const pool = openPool({ ...limits, ...told, url: toPostgresUrl(url) });
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

/** Drops the driver that SQLAlchemy puts into its URLs (`postgresql+asyncpg://` becomes `postgresql://`). */
export function toPostgresUrl(url: string): string {
  return url.replace(/^(postgres(?:ql)?)\+[a-z0-9_]+:\/\//i, "$1://");
}
