import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Makes sure that only one standalone works in a folder: holds a socket whose name stands for the folder.
 * A socket that nobody answers is left over from one that was killed.
 *
 * @throws {Error} when another one answers
 */
export async function holdSingleInstance(home: string): Promise<AsyncDisposable> {
  // Beside the folder the name could be too long for a socket (104 bytes on macOS).
  const socket = join(tmpdir(), `cactus-${createHash("sha256").update(home).digest("hex").slice(0, 16)}.sock`);
  if (await answers(socket))
    throw new Error(`Already running in ${home}. Stop it first, or set CACTUS_HOME to another folder.`);
  await rm(socket, { force: true });
  const server = createServer((connection) => connection.end()).listen(socket);
  await new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
  return {
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => resolve(true)).once("error", () => resolve(false));
    connection.unref();
  });
}
