import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { PostgresPool, PostgresPoolClient } from "kysely";
import pg from "pg";

export interface ConnectionLimits {
  /** Most connections held at once. */
  maxConnections?: number;
  /** How long a query is waited for. */
  querySeconds?: number;
}

export interface PoolOptions extends ConnectionLimits {
  url: string;
  onError: (error: Error) => void;
  onQuery: () => void;
}

/**
 * What the server, too, is to find out within half a minute: that nobody is there any more. Else what a lost connection
 * had locked would stay so for hours.
 */
export const SERVER_SETTINGS =
  "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c tcp_user_timeout=25000";

/** How long a connection is given to say goodbye. */
const GOODBYE_MS = 1_000;

/**
 * Connections that are used by turns. None is waited for without end: a query that gets no answer in time fails, and its
 * connection with it, because whoever came next would wait behind it.
 */
export function openPool({ url, maxConnections = 20, querySeconds = 15, ...told }: PoolOptions): PostgresPool {
  const sockets = new Set<Socket>();
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: 5_000,
    query_timeout: querySeconds * 1000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    application_name: "cactus-orchestrator",
    options: SERVER_SETTINGS,
    stream: () => keep(new Socket(), sockets),
  });
  const { onError, onQuery } = told;
  pool.on("error", onError);
  // A connection that is lost while it is in use tells its query, and itself once more: unheard, that would end the process.
  pool.on("connect", (client) => client.on("error", onError));
  return {
    options: pool.options,
    connect: async () => withoutPoison(await pool.connect(), onQuery),
    end: () => end(pool, sockets),
  };
}

function keep(socket: Socket, sockets: Set<Socket>): Socket {
  sockets.add(socket);
  return socket.once("close", () => sockets.delete(socket));
}

/** After a query that was given up, the connection takes no other and leaves the pool. */
function withoutPoison(client: pg.PoolClient, onQuery: () => void): PostgresPoolClient {
  let lost: Error | undefined;
  const query = async (text: string, values: unknown[]): Promise<unknown> => {
    if (lost !== undefined) throw lost;
    onQuery();
    try {
      return await client.query(text, values);
    } catch (error) {
      if (isGivenUp(error)) lost = error;
      throw error;
    }
  };
  return {
    query: query as PostgresPoolClient["query"],
    release: (discard) => client.release(discard === true || lost !== undefined),
  };
}

/** The driver's limit of a query. */
function isGivenUp(error: unknown): error is Error {
  return error instanceof Error && error.message === "Query read timeout";
}

/** A server that cannot be reached answers no goodbye. */
async function end(pool: pg.Pool, sockets: Set<Socket>): Promise<void> {
  const goodbye = pool.end();
  await Promise.race([goodbye, sleep(GOODBYE_MS, undefined, { ref: false })]);
  for (const socket of sockets) socket.destroy();
  await goodbye;
}
