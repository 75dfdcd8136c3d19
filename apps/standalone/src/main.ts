import { parseConfig } from "./config.ts";
import { describeStandalone } from "./screen.ts";
import { startStandalone } from "./standalone.ts";

/** Everything on one laptop, in the foreground, until Ctrl-C. */
const say = (message: string): void => void process.stdout.write(`${message}\n`);
const stopped = new Promise<string>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, resolve);
});
try {
  const started = Date.now();
  await using standalone = await startStandalone(parseConfig(process.env), say);
  say(describeStandalone(standalone.info, (Date.now() - started) / 1000));
  await stopped;
  say("\nStopping…");
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
