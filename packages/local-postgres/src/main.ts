import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, startLocalPostgres } from "./index.ts";

/**
 * The server as a process of its own: `main.ts <data folder> <port>`, password in `LOCAL_POSTGRES_PASSWORD`.
 * Says `ready` on standard output; ends with the server, and the server ends with it (SIGTERM, SIGINT).
 */
const [dataDir, port] = process.argv.slice(2);
const password = process.env.LOCAL_POSTGRES_PASSWORD;
if (dataDir === undefined || port === undefined || password === undefined) {
  throw new Error("usage: LOCAL_POSTGRES_PASSWORD=… main.ts <data folder> <port>");
}
const server = await startLocalPostgres({
  dataDir,
  port: Number(port),
  password,
  onLog: (text) => process.stderr.write(text),
});
process.stdout.write("ready\n");
while (isAlive(server.pid)) await sleep(250);
process.exitCode = 1;
