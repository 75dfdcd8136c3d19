import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** An address without a file: taken by one process at a time, and free as soon as that one is gone, however it ended. */
const ADDRESS = "\0cactus-test-cluster";
const PATIENCE_MS = 30 * 60_000;

/**
 * Makes this process the only one on the machine that deals with the cluster, until it is disposed of.
 *
 * @throws {Error} when another has it: after half an hour, or at once for the impatient
 */
export async function takeTurn({ isPatient }: { isPatient: boolean }): Promise<AsyncDisposable> {
  const deadline = Date.now() + (isPatient ? PATIENCE_MS : 0);
  for (;;) {
    try {
      const server = createServer().listen(ADDRESS);
      await once(server, "listening");
      server.unref();
      return server;
    } catch (cause) {
      if (Date.now() >= deadline) throw new Error("another process on this machine has the test cluster", { cause });
      await sleep(200);
    }
  }
}
