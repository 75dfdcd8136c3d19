import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { toPostgresUrl } from "./database.ts";
import { SERVER_SETTINGS } from "./pool.ts";

export interface ListenOptions {
  url: string;
  channels: string[];
  /** Name under which others see, by an advisory lock, that we are there: as long as the connection stands. */
  presence?: string;
  onNotification: (channel: string, payload: string) => void;
  /** Called each time the connection stands (again): whoever follows must look once, for what came meanwhile was not told. */
  onConnected: () => void;
  onError?: (error: unknown) => void;
}

/** Seconds between attempts to connect again. */
const RETRY_SECONDS = 0.5;
/** How often the server is asked whether it is still there: a connection that only listens would not notice. */
const HEARTBEAT_SECONDS = 5;
const ANSWER_SECONDS = 5;

/**
 * Listens to Postgres notifications on a connection of its own, for ever: a lost connection is opened again.
 * Notifications sent while it was lost are not repeated, which is what `onConnected` is for.
 */
export function listen(options: ListenOptions): AsyncDisposable {
  const stop = new AbortController();
  const ended = listenUntil(stop.signal, options);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

async function listenUntil(stop: AbortSignal, options: ListenOptions): Promise<void> {
  while (!stop.aborted) {
    await listenOnce(stop, options).catch((error) => options.onError?.(error));
    await sleep(RETRY_SECONDS * 1000, undefined, { signal: stop }).catch(() => {});
  }
}

/** Resolves or rejects when the connection is gone or `stop` is aborted. */
async function listenOnce(stop: AbortSignal, options: ListenOptions): Promise<void> {
  const socket = new Socket();
  const client = new pg.Client({
    connectionString: toPostgresUrl(options.url),
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    query_timeout: ANSWER_SECONDS * 1000,
    application_name: "cactus-orchestrator listener",
    options: SERVER_SETTINGS,
    stream: () => socket,
  });
  const ended = Promise.withResolvers<"ended">();
  client.on("error", ended.reject);
  client.on("end", () => ended.resolve("ended"));
  stop.addEventListener("abort", () => ended.resolve("ended"), { once: true });
  ended.promise.catch(() => {});
  client.on("notification", ({ channel, payload }) => options.onNotification(channel, payload ?? ""));
  try {
    await client.connect();
    // Shared with ourselves alone: of a connection that was lost, the server may still think that it stands.
    if (options.presence !== undefined)
      await client.query("select pg_advisory_lock_shared(hashtextextended($1, 0))", [options.presence]);
    for (const channel of options.channels) await client.query(`listen ${client.escapeIdentifier(channel)}`);
    options.onConnected();
    while ((await Promise.race([ended.promise, pause()])) !== "ended") await client.query("select 1");
  } finally {
    await Promise.race([client.end().catch(() => {}), pause(RETRY_SECONDS)]);
    socket.destroy();
  }
}

function pause(seconds = HEARTBEAT_SECONDS): Promise<void> {
  return sleep(seconds * 1000, undefined, { ref: false });
}
