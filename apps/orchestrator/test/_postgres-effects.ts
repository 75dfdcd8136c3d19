import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Effects } from "./_effects.ts";

/**
 * Stands between an orchestrator and PostgreSQL, and reads along (PostgreSQL, "Frontend/Backend Protocol"): each
 * transaction that wrote something, and each writing statement of its own, is an effect.
 */
export async function startPostgresEffects(url: string, effects: Effects): Promise<AsyncDisposable & { url: string }> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay();
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    }
    passOn(client, upstream, effects);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const own = new URL(url);
  own.hostname = "127.0.0.1";
  own.port = String((server.address() as AddressInfo).port);
  return {
    url: own.href,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function passOn(client: Socket, upstream: Socket, effects: Effects): void {
  const statements = new Statements();
  let dying = false;
  const die = (): void => {
    dying = true;
    void effects.die();
  };
  const toServer = splitMessages("startup", (type, message) => {
    if (dying) return;
    const effect = statements.read(type, message);
    const fate = effect === undefined ? "pass" : effects.judge(effect);
    if (fate === "die-before") return die();
    if (fate === "die-after") statements.isLast = true;
    upstream.write(message);
  });
  const toClient = splitMessages("typed", (type, message) => {
    if (dying) return;
    // Ready for query: what was asked for has been done.
    if (type === "Z" && statements.isLast) return die();
    client.write(message);
  });
  client.on("data", toServer).on("close", () => upstream.destroy());
  upstream.on("data", toClient).on("close", () => client.destroy());
}

/** Follows a connection's statements, and tells when one makes what was written last. */
class Statements {
  isLast = false;
  #transaction: Set<string> | undefined;

  read(type: string, message: Buffer): string | undefined {
    const sql = readSql(type, message);
    if (sql === undefined) return undefined;
    if (/^begin\b|^start transaction\b/i.test(sql)) this.#transaction = new Set();
    else if (/^rollback\b/i.test(sql)) this.#transaction = undefined;
    else if (/^commit\b/i.test(sql)) return this.#commit();
    else return this.#write(sql);
    return undefined;
  }

  #commit(): string | undefined {
    const written = [...(this.#transaction ?? [])];
    this.#transaction = undefined;
    return written.length === 0 ? undefined : `commit of ${written.join(", ")}`;
  }

  #write(sql: string): string | undefined {
    const tables = [...sql.matchAll(/(insert into|update|delete from) "?(\w+)"?/gi)].map(([, , table]) => table ?? "");
    if (tables.length === 0) return undefined;
    for (const table of tables) this.#transaction?.add(table);
    if (this.#transaction !== undefined) return undefined;
    const what = /set ("?\w+"?)/i.exec(sql)?.[1]?.replaceAll('"', "") ?? "row";
    return `write of ${tables.join(", ")} (${what})`;
  }
}

/** The text of a simple query (`Q`) or of a statement that is parsed (`P`, after its name). */
function readSql(type: string, message: Buffer): string | undefined {
  if (type !== "Q" && type !== "P") return undefined;
  const parts = message.subarray(5).toString("utf8").split("\0");
  return (type === "Q" ? parts[0] : parts[1])?.trim();
}

/** Calls back once for each whole message; the first of a client has no type. */
function splitMessages(first: "startup" | "typed", onMessage: (type: string, message: Buffer) => void) {
  let buffer = Buffer.alloc(0);
  let typeLength = first === "startup" ? 0 : 1;
  return (chunk: Buffer): void => {
    buffer = Buffer.concat([buffer, chunk]);
    for (let length = measure(buffer, typeLength); length <= buffer.length; length = measure(buffer, typeLength)) {
      const message = buffer.subarray(0, length);
      buffer = buffer.subarray(length);
      onMessage(message.toString("latin1", 0, typeLength), message);
      typeLength = 1;
    }
  };
}

/** Length of the message that a buffer begins with; infinite while that is not known. */
function measure(buffer: Buffer, typeLength: number): number {
  return buffer.length < typeLength + 4 ? Number.POSITIVE_INFINITY : typeLength + buffer.readInt32BE(typeLength);
}
