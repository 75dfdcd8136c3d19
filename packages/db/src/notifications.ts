import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { toPostgresUrl } from "./database.ts";

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
  const client = new pg.Client({
    connectionString: toPostgresUrl(options.url),
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    application_name: "cactus-orchestrator listener",
  });
  const lost = new Promise<void>((resolve, reject) => {
    client.on("error", reject);
    client.on("end", resolve);
    stop.addEventListener("abort", () => resolve(), { once: true });
  });
  lost.catch(() => {});
  client.on("notification", ({ channel, payload }) => options.onNotification(channel, payload ?? ""));
  try {
    await client.connect();
    if (options.presence !== undefined)
      await client.query("select pg_advisory_lock(hashtextextended($1, 0))", [options.presence]);
    for (const channel of options.channels) await client.query(`listen ${client.escapeIdentifier(channel)}`);
    options.onConnected();
    await lost;
  } finally {
    await client.end().catch(() => {});
  }
}
