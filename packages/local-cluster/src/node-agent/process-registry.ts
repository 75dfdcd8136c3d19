import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { findProcessIdentity } from "./process-identity.ts";

const ADOPTED_POLL_MS = 250;

/** What a process is run for. */
export interface ProcessOwner {
  podUid: string;
  container: string;
  /** Names the instance of the container; a restart makes another. */
  containerID: string;
  /** `action`: a probe or hook beside the container's own process. */
  role: "container" | "action";
  /** Of that instance, RFC 3339. */
  startedAt: string;
  restartCount: number;
}

export interface Launch {
  argv: readonly string[];
  cwd: string;
  env: Record<string, string>;
  /** File descriptor for standard output and error, or `pipe` for `onOutput`. */
  output: number | "pipe";
  onOutput?: (chunk: Buffer) => void;
}

/** A process in a process group of its own. */
export interface OwnedProcess {
  readonly pid: number;
  readonly owner: ProcessOwner;
  /** The exit code (128 and the signal's number after a signal), or undefined when it could not be known. */
  readonly exited: Promise<number | undefined>;
  /** Sends a signal to the whole group; harmless once the process has ended. */
  signal(name: NodeJS.Signals): void;
}

interface Entry {
  pid: number;
  identity: string;
  owner: ProcessOwner;
}

/**
 * Waits for leave, then becomes the program. So a process never does anything before it is on record: when the agent is
 * killed between the two, its pipe closes and the process ends by itself.
 */
export const GATE = 'read -r go && exec "$@" </dev/null';

/** Starts processes that outlive this one if need be, and finds them again, by one file for each that runs. */
export class ProcessRegistry {
  readonly #folder: string;
  readonly #actions = new Set<Promise<unknown>>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** @throws {Error} when the system starts no process */
  launch({ argv, cwd, env, output, onOutput }: Launch, owner: ProcessOwner): OwnedProcess {
    const [environment, command] = splitEnvironment(env, argv);
    const child = spawn("/bin/sh", ["-c", GATE, "sh", ...command], {
      cwd,
      env: environment,
      detached: true,
      stdio: ["pipe", output, output],
    });
    child.on("error", () => undefined).unref();
    const { pid } = child;
    if (pid === undefined) throw new Error("the system started no process");
    const identity = findProcessIdentity(pid) ?? "";
    const file = this.#write({ pid, identity, owner });
    child.stdin?.on("error", () => undefined).end("go\n");
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => onOutput?.(chunk));
    const exited = exitOf(child, pid, file);
    if (owner.role === "action") this.#count(exited);
    return { pid, owner, exited, signal: (name) => signalGroup(child, pid, name) };
  }

  /** Resolves when no probe and no hook runs any more: each ends with its container. */
  async actionsEnded(): Promise<void> {
    await Promise.all(this.#actions);
  }

  #count(action: Promise<unknown>): void {
    this.#actions.add(action);
    void action.finally(() => this.#actions.delete(action));
  }

  /** Finds the processes of an earlier agent on the same folder that still run, and ends what is left of the others. */
  adopt(): OwnedProcess[] {
    const files = readdirSync(this.#folder).map((name) => join(this.#folder, name));
    return files.flatMap((file) => {
      const entry = findEntry(file);
      if (entry !== undefined && isSame(entry)) return [adoptProcess(entry, file)];
      if (entry !== undefined) endLeftovers(entry);
      rmSync(file, { force: true });
      return [];
    });
  }

  #write(entry: Entry): string {
    const file = join(this.#folder, String(entry.pid));
    writeFileSync(`${file}.new`, JSON.stringify(entry));
    renameSync(`${file}.new`, file);
    return file;
  }
}

/** The shell would lose variables whose names it cannot have itself; `env` brings them past it. */
function splitEnvironment(
  env: Record<string, string>,
  argv: readonly string[],
): [env: Record<string, string>, argv: string[]] {
  const entries = Object.entries(env);
  const isPlain = ([name]: [string, string]): boolean => /^[a-z_]\w*$/i.test(name);
  const odd = entries.filter((entry) => !isPlain(entry)).map(([name, value]) => `${name}=${value}`);
  return [
    Object.fromEntries(entries.filter(isPlain)),
    odd.length === 0 ? [...argv] : ["/usr/bin/env", ...odd, ...argv],
  ];
}

function exitOf(child: ChildProcess, pid: number, file: string): Promise<number> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      // A container ends with its first process.
      killGroup(pid, "SIGKILL");
      rmSync(file, { force: true });
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function signalGroup(child: ChildProcess, pid: number, name: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) killGroup(pid, name);
}

function adoptProcess(entry: Entry, file: string): OwnedProcess {
  const { pid, owner } = entry;
  const exited = new Promise<undefined>((resolve) => {
    const timer = setInterval(() => {
      if (isSame(entry)) return;
      clearInterval(timer);
      endLeftovers(entry);
      rmSync(file, { force: true });
      resolve(undefined);
    }, ADOPTED_POLL_MS).unref();
  });
  return { pid, owner, exited, signal: (name) => isSame(entry) && killGroup(pid, name) };
}

function isSame({ pid, identity }: Entry): boolean {
  return findProcessIdentity(pid) === identity;
}

/**
 * Ends children that outlived the first process of their group. A group's id is not given to a new process while the
 * group has members, so if a process of that id runs, the group was empty before and nothing is left of it.
 */
function endLeftovers({ pid, identity }: Entry): void {
  const current = findProcessIdentity(process.pid) ?? "";
  const isThisBoot = process.platform !== "linux" || identity.split(" ")[0] === current.split(" ")[0];
  if (isThisBoot && findProcessIdentity(pid) === undefined) killGroup(pid, "SIGKILL");
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has no members left.
  }
}

function findEntry(file: string): Entry | undefined {
  try {
    const entry: Entry = JSON.parse(readFileSync(file, "utf8"));
    return Number.isInteger(entry.pid) && entry.pid > 1 ? entry : undefined;
  } catch {
    return undefined;
  }
}
