import { parseConfig } from "./config.ts";
import { startSimulator } from "./simulator.ts";

/** The simulator as a process of its own, set up by environment variables alone (README.md lists them). */
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(0));
try {
  const config = parseConfig(process.env);
  const simulator = await startSimulator({ ...config, onCrash: (exitCode) => process.exit(exitCode) });
  // What it does before its first await, and that includes removing its files, is done when the process has ended.
  process.once("exit", () => void simulator[Symbol.asyncDispose]());
  process.stdout.write(`teststack simulator: ${simulator.url}\n`);
  if (simulator.controlUrl !== undefined) process.stdout.write(`control: ${simulator.controlUrl}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
