import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Runs a program to its end and gives what it wrote to standard output.
 *
 * @throws {Error} with what it wrote to standard error, when it fails
 */
export async function command(program: string, ...parameters: string[]): Promise<string> {
  const { stdout } = await run(program, parameters, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
