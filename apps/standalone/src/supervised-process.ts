import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export interface ProcessSpec {
  /** As the screen calls it. */
  name: string;
  /** Module that it runs, as `@cactus/orchestrator/main`. It sends `{ ready: true, … }` over its channel when it is up. */
  module: string;
  args?: string[];
  /** Its whole environment. */
  env: Readonly<Record<string, string | undefined>>;
  /** Receives what it prints. */
  logFile: string;
  /** It may take this long to end by itself. */
  stopSeconds: number;
  /** Tells the user what happens to it. */
  say: (message: string) => void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const READY_WITHIN_MS = 60_000;

/**
 * A process that is started again, after growing pauses, when it ends without having been asked to.
 * It runs in a group of its own, so that Ctrl-C reaches us alone and we stop the processes in the right order; and it has a
 * channel to us, so that it notices when we are gone.
 */
export class SupervisedProcess implements AsyncDisposable {
  readonly #spec: ProcessSpec;
  readonly #stop = new AbortController();
  #child: ChildProcess | undefined;
  #supervising: Promise<void> | undefined;

  constructor(spec: ProcessSpec) {
    this.#spec = spec;
  }

  /**
   * Starts it, keeps it running from then on, and resolves with what it said when it was ready.
   *
   * @throws {Error} when it ends before that; the message names its log
   */
  async start<TReady>(): Promise<TReady> {
    const ready = await this.#launch();
    this.#supervising = this.#supervise();
    return ready as TReady;
  }

  /** Id of the process that runs now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const child = this.#child;
    if (child !== undefined && isRunning(child)) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), this.#spec.stopSeconds * 1000);
      await ended;
      clearTimeout(late);
    }
    await this.#supervising;
  }

  async #supervise(): Promise<void> {
    const { name, say, logFile } = this.#spec;
    let pause = FIRST_PAUSE_MS;
    while (!this.#stop.signal.aborted) {
      const child = this.#child;
      if (child !== undefined && isRunning(child)) await once(child, "exit");
      if (this.#stop.signal.aborted) return;
      say(`${name} has ended (${describeEnd(child)}); starting it again. Its log: ${logFile}`);
      await sleep(pause, undefined, { signal: this.#stop.signal }).catch(() => {});
      if (this.#stop.signal.aborted) return;
      const up = await this.#launch().then(
        () => true,
        () => false,
      );
      if (up) say(`${name} is up again.`);
      pause = up ? FIRST_PAUSE_MS : Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }

  async #launch(): Promise<unknown> {
    const { name, module, args = [], env, logFile } = this.#spec;
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, "a", 0o600);
    const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.resolve(module)), ...args], {
      env,
      stdio: ["ignore", log, log, "ipc"],
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    try {
      return await waitUntilReady(child);
    } catch (cause) {
      if (isRunning(child)) child.kill("SIGKILL");
      throw new Error(`${name} did not start (${describeEnd(child)}). Its log: ${logFile}`, { cause });
    }
  }
}

async function waitUntilReady(child: ChildProcess): Promise<unknown> {
  const signal = AbortSignal.timeout(READY_WITHIN_MS);
  const ended = once(child, "exit", { signal }).then(() => {
    throw new Error("it ended");
  });
  ended.catch(() => {});
  const [message] = await Promise.race([once(child, "message", { signal }), ended]);
  return message;
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function describeEnd(child: ChildProcess | undefined): string {
  if (child?.signalCode != null) return `signal ${child.signalCode}`;
  return child?.exitCode == null ? "no answer" : `exit code ${child.exitCode}`;
}
