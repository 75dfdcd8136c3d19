import { once } from "node:events";
import type { Server } from "node:http";
import { type Socket, Server as TcpServer } from "node:net";
import { setImmediate as turn } from "node:timers/promises";

/** Answers under way may take this long when the server closes. */
const DRAIN_MS = 25_000;

/**
 * Knows which connections of a server owe an answer, so that it can be closed without cutting one off. Node's own `close`
 * does: it takes a connection for idle as soon as the answer's last byte is written, long before a slow client has it.
 */
export class ServerConnections {
  readonly #server: Server;
  /** Open connections, each with the number of its answers under way. */
  readonly #answers = new Map<Socket, number>();
  #closing = false;

  constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      this.#answers.set(socket, 0);
      socket.once("close", () => this.#answers.delete(socket));
    });
    server.on("request", ({ socket }, response) => {
      this.#count(socket, 1);
      response.once("close", () => this.#count(socket, -1));
    });
  }

  /**
   * Takes no new connection, ends each of the others when it owes no answer (any more), and what is left after the longest
   * time that answers are given. Resolves when all have ended.
   */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    TcpServer.prototype.close.call(this.#server);
    const limit = setTimeout(() => this.#server.closeAllConnections(), DRAIN_MS);
    // What has arrived is read first.
    await turn();
    this.#closing = true;
    for (const socket of this.#answers.keys()) this.#endIfIdle(socket);
    await closed;
    clearTimeout(limit);
  }

  #count(socket: Socket, change: number): void {
    const count = this.#answers.get(socket);
    if (count === undefined) return;
    this.#answers.set(socket, count + change);
    this.#endIfIdle(socket);
  }

  #endIfIdle(socket: Socket): void {
    if (this.#closing && this.#answers.get(socket) === 0) socket.destroySoon();
  }
}
