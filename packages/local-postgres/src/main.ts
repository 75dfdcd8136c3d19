import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, startLocalPostgres } from "./index.ts";

/**
 * The server as a process of its own: `main.ts <data folder> <port>`, password in `LOCAL_POSTGRES_PASSWORD`.
 * It tells whoever started it, over their channel, when it is ready. The server ends with it (SIGTERM, SIGINT, or the
 * channel's end), and it ends with the server.
 */
const [dataDir, port] = process.argv.slice(2);
const password = process.env.LOCAL_POSTGRES_PASSWORD;
if (dataDir === undefined || port === undefined || password === undefined) {
  throw new Error("usage: LOCAL_POSTGRES_PASSWORD=… main.ts <data folder> <port>");
}
const onLog = (text: string): void => void process.stderr.write(text);
const server = await startLocalPostgres({ dataDir, port: Number(port), password, onLog });
let stopping = false;
for (const event of ["SIGTERM", "SIGINT", "disconnect"] as const) {
  process.once(event, () => {
    stopping = true;
  });
}
process.send?.({ ready: true, url: server.url });
while (isAlive(server.pid) && !stopping) await sleep(100);
process.exitCode = stopping ? 0 : 1;
await server[Symbol.asyncDispose]();
process.exit();
