import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const FIELDS_BEFORE_START_TIME = 19;

/**
 * Tells one process from every other that had or will have its id: when it was started, and in which life of the
 * machine. Undefined when there is no such process, or only what is left of one that has ended.
 */
export function findProcessIdentity(pid: number): string | undefined {
  try {
    return process.platform === "linux" ? readLinuxIdentity(pid) : readPosixIdentity(pid);
  } catch {
    return undefined;
  }
}

function readLinuxIdentity(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold anything, parentheses too.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (state === "Z" || state === "X") return undefined;
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return `${boot} ${fields[FIELDS_BEFORE_START_TIME - 1]}`;
}

function readPosixIdentity(pid: number): string | undefined {
  const line = execFileSync("ps", ["-o", "state=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  const [state = "Z", ...start] = line.split(/\s+/);
  return state.startsWith("Z") ? undefined : start.join(" ");
}
