import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { slowDown, type Trouble } from "./_trouble.ts";

export interface TcpProxy extends AsyncDisposable {
  port: number;
  /** What happens to all connections from now on. */
  set(trouble: Trouble): void;
  /** Closes all connections and refuses new ones, until `restore`. */
  cut(): void;
  restore(): void;
}

/** Stands between a client and a server, and makes trouble when told to. */
export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const connections = new Set<Connection>();
  let trouble: Trouble = { kind: "none" };
  const server = createServer((client) => {
    if (trouble.kind === "refused") return client.on("error", () => {}).resetAndDestroy();
    const connection = new Connection(client, connect(target), () => trouble);
    connections.add(connection);
    void connection.closed.then(() => connections.delete(connection));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const set: TcpProxy["set"] = (next) => {
    trouble = next;
    for (const connection of connections) connection.meet(next);
  };
  return {
    port: (server.address() as AddressInfo).port,
    set,
    cut: () => set({ kind: "refused" }),
    restore: () => set({ kind: "none" }),
    async [Symbol.asyncDispose]() {
      server.close();
      for (const connection of connections) connection.reset();
    },
  };
}

/** A connection through the proxy. Once it is lost in a black hole, nothing passes it any more, not even its end. */
class Connection {
  readonly closed: Promise<unknown>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #trouble: () => Trouble;
  #isLost = false;
  #answeredBytes = 0;

  constructor(client: Socket, server: Socket, trouble: () => Trouble) {
    this.#client = client;
    this.#server = server;
    this.#trouble = trouble;
    this.meet(trouble());
    for (const socket of [client, server]) socket.setNoDelay().on("error", () => {});
    this.closed = Promise.all([this.#carry(client, server), this.#carry(server, client)]);
  }

  /** Takes note of another trouble. */
  meet({ kind }: Trouble): void {
    this.#answeredBytes = 0;
    if (kind === "refused") this.reset();
    if (kind === "black hole") this.#isLost = true;
    // The server's next packet would find out that nobody is there any more.
    else if (this.#isLost && this.#client.destroyed) this.#server.destroy();
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    const closed = once(from, "close").catch(() => {});
    try {
      for await (const chunk of from) await this.#pass(chunk, from, to);
    } catch {
      // Broken off: as good as closed.
    }
    await closed;
    if (!this.#isLost || (from === this.#client && this.#trouble().kind !== "black hole")) to.destroy();
  }

  async #pass(chunk: Buffer, from: Socket, to: Socket): Promise<void> {
    for await (const piece of slowDown(chunk, this.#trouble())) {
      if (this.#isLost) return;
      if (from === this.#client) to.write(piece);
      else this.#answer(piece);
    }
  }

  #answer(piece: Buffer): void {
    const trouble = this.#trouble();
    this.#answeredBytes += piece.length;
    if (trouble.kind !== "reset" || this.#answeredBytes < trouble.afterBytes) this.#client.write(piece);
    else {
      const rest = trouble.afterBytes - (this.#answeredBytes - piece.length);
      this.#client.write(piece.subarray(0, rest), () => this.reset());
    }
  }
}
