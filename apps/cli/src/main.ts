import { Command, InvalidArgumentError, Option } from "commander";
import { certificate } from "./commands/certificate.ts";
import { finalise } from "./commands/finalise.ts";
import { type RunOutcome, run } from "./commands/run.ts";
import { runs } from "./commands/runs.ts";
import { type Connection, findConnection } from "./connection.ts";
import { addPkiCommands } from "./pki-commands.ts";
import { createProgress } from "./progress.ts";

const EXIT_CODES: Record<RunOutcome, number> = { passed: 0, failed: 1, unmet: 2 };

const progress = createProgress(process.stdout);
const kind = new Option("--kind <kind>", "device or aggregator").choices(["device", "aggregator"]).default("device");
const program = new Command("cactus")
  .description("Test runs of cactus-orchestrator, from a terminal.")
  .option("--url <url>", "the orchestrator (default: CACTUS_URL, or the one running on this machine)")
  .option("--token <token>", "bearer token (default: CACTUS_TOKEN, or the running one's)");

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());

function connect(): Connection {
  return findConnection(program.opts(), process.env);
}

program
  .command("run <procedure>")
  .description("do a whole test run; exit code 0: passed, 2: criteria not met, 1: failed")
  .addOption(kind)
  .option("--out <file>", "where to save the zip (default: its own name)")
  .action(async (procedure, options) => {
    process.exitCode =
      EXIT_CODES[await run({ connection: connect(), progress, signal: interrupted.signal }, procedure, options)];
  });

program
  .command("runs")
  .description("list your runs, the newest first")
  .option("--status <status>", "only those of this status")
  .option("--limit <n>", "at most this many", parseCount, 20)
  .action(async (options) => print(await runs(connect(), options)));

program
  .command("certificate")
  .description("issue a client certificate and save it with its key")
  .addOption(kind)
  .option("--csr <file>", "PKCS#10 request whose key is certified, instead of a new key")
  .option("--out <folder>", "where to save the files", "certificate")
  .action(async (options) => print(await certificate(connect(), options)));

program
  .command("finalise <run>")
  .description("end a run and save its zip")
  .option("--out <file>", "where to save the zip (default: its own name)")
  .action(async (runId, { out }) => {
    const { status } = await finalise({ connection: connect(), progress }, { runId, out });
    process.exitCode = status === "finalised" ? 0 : 1;
  });

addPkiCommands(program, process.env, ({ text, isWrong }) => {
  print(text);
  if (isWrong) process.exitCode = 1;
});

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // What fetch says when there is no answer, whichever the reason.
  return error.message === "fetch failed" ? `The orchestrator cannot be reached at ${connect().url}.` : error.message;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("It must be a whole number from 1.");
  return count;
}

try {
  await program.parseAsync();
} catch (error) {
  progress.failed(describe(error));
  process.exitCode = 1;
}
