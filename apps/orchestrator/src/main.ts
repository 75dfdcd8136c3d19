import { parseConfig } from "./config.ts";
import { startOrchestrator } from "./orchestrator.ts";

/**
 * The service as a process: configured by the environment, stopped by SIGTERM or SIGINT, or when the process that
 * started it (over a channel) has gone. What it has begun is finished first.
 */
const stopped = new Promise<void>((resolve) => {
  for (const signal of ["SIGTERM", "SIGINT", "disconnect"] as const) process.once(signal, () => resolve());
});
try {
  await using orchestrator = await startOrchestrator(parseConfig(process.env));
  process.send?.({ ready: true, url: orchestrator.url });
  await stopped;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
// The channel, if there is one, would keep the process.
if (process.connected) process.disconnect();
