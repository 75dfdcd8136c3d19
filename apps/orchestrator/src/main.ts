import { once } from "node:events";
import { parseConfig } from "./config.ts";
import { startOrchestrator } from "./orchestrator.ts";

/**
 * The service as a process: configured by the environment, stopped by SIGTERM or SIGINT, or when the process that
 * started it (over a channel) has gone. What it has begun is finished first.
 */
const stop = new AbortController();
const stopped = once(stop.signal, "abort");
for (const signal of ["SIGTERM", "SIGINT", "disconnect"] as const) process.once(signal, () => stop.abort());
try {
  await using orchestrator = await startOrchestrator(parseConfig(process.env), stop.signal);
  process.send?.({ ready: true, url: orchestrator.url });
  await stopped;
} catch (error) {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  // Stopped before it had started.
  if (name !== "AbortError") {
    process.stderr.write(`${message}\n`);
    process.exitCode = 1;
  }
}
// The channel, if there is one, would keep the process.
if (process.connected) process.disconnect();
