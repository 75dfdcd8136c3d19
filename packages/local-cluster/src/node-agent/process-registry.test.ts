import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { eventually } from "../../test/_eventually.ts";
import { findProcessIdentity } from "./process-identity.ts";
import { GATE, type Launch, type OwnedProcess, type ProcessOwner, ProcessRegistry } from "./process-registry.ts";

let folder: string;
let registry: ProcessRegistry;
const owner: ProcessOwner = {
  podUid: "u",
  container: "c",
  containerID: "i",
  role: "container",
  startedAt: "t",
  restartCount: 0,
};

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "cactus-processes-")));
  registry = new ProcessRegistry(join(folder, "processes"));
  return () => rmSync(folder, { recursive: true, force: true });
});

const env = { PATH: "/usr/bin:/bin" };
const log = () => join(folder, "log");
const launch = (script: string, more: Partial<Launch> = {}): OwnedProcess =>
  registry.launch({ argv: ["/bin/sh", "-c", script], cwd: folder, env, output: openSync(log(), "a"), ...more }, owner);
const records = () => readdirSync(join(folder, "processes"));

test.each([
  ["exit 0", 0],
  ["exit 3", 3],
  ["kill -KILL $$", 137],
  ["kill -TERM $$", 143],
])("tells how a process ended: %s", async (script, code) => {
  expect(await launch(script).exited).toBe(code);
  expect(records()).toEqual([]);
});

test("runs a program in its folder with its environment, also with names that a shell cannot have", async () => {
  await launch("pwd").exited;
  expect(readFileSync(log(), "utf8")).toBe(`${folder}\n`);
  const environment = { ...env, PLAIN: "a b", "dotted.name": "c=d", "dash-ed": "" };
  await launch("", { argv: ["env"], env: environment }).exited;
  const lines = readFileSync(log(), "utf8").trim().split("\n").slice(1);
  // A shell stands before the program, and some shells add these.
  expect(new Set(lines.filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line)))).toEqual(
    new Set(["PATH=/usr/bin:/bin", "PLAIN=a b", "dash-ed=", "dotted.name=c=d"]),
  );
});

test("signals the whole group, and ends what is left of it with its first process", async () => {
  const first = launch("sleep 1000 & echo $!; wait");
  await eventually(() => readFileSync(log(), "utf8")).toMatch(/\d+\n/);
  first.signal("SIGTERM");
  expect(await first.exited).toBe(143);
  await launch("(trap '' HUP TERM; sleep 1000) & echo $! >> kept; exit 0").exited;
  for (const file of ["log", "kept"]) {
    const pid = Number(readFileSync(join(folder, file), "utf8"));
    await eventually(() => findProcessIdentity(pid)).toBeUndefined();
  }
});

test("a signal after the end harms nobody", async () => {
  const ended = launch("exit 0");
  await ended.exited;
  ended.signal("SIGKILL");
});

/** Runs a process that launches a command through a registry and is killed the hard way. */
async function launchAndDie(script: string): Promise<void> {
  const agent = fork(new URL("../../test/_launch-and-hang.ts", import.meta.url), [folder, script]);
  await once(agent, "message");
  agent.kill("SIGKILL");
  await once(agent, "exit");
}

test("finds the processes of a killed agent again, notices their end, and signals them", async () => {
  await launchAndDie("echo ready; sleep 1000");
  await launchAndDie("echo ready; exec sleep 1000");
  const adopted = registry.adopt();
  expect(adopted.map((process) => process.owner)).toEqual([owner, owner]);
  for (const process of adopted) {
    process.signal("SIGTERM");
    expect(await process.exited).toBeUndefined();
    expect(findProcessIdentity(process.pid)).toBeUndefined();
  }
  expect(records()).toEqual([]);
  expect(registry.adopt()).toEqual([]);
});

test("ends what a dead process of a killed agent left in its group", async () => {
  await launchAndDie("echo ready; (sleep 1000 & echo $! > kept)");
  await eventually(() => findProcessIdentity(Number(records()[0]))).toBeUndefined();
  const kept = Number(readFileSync(join(folder, "kept"), "utf8"));
  expect(findProcessIdentity(kept)).toBeDefined();
  expect(registry.adopt()).toEqual([]);
  await eventually(() => findProcessIdentity(kept)).toBeUndefined();
});

test("never takes a process of the same id for ours, nor garbage for a record", async () => {
  const stranger = launch("sleep 1000");
  const identity = `${findProcessIdentity(stranger.pid)}1`;
  writeFileSync(
    join(folder, "processes", String(stranger.pid)),
    JSON.stringify({ pid: stranger.pid, identity, owner }),
  );
  writeFileSync(join(folder, "processes", "1"), JSON.stringify({ pid: 1, identity: findProcessIdentity(1), owner }));
  writeFileSync(join(folder, "processes", "9"), "{");
  writeFileSync(join(folder, "processes", "10.new"), "");
  expect(registry.adopt()).toEqual([]);
  expect(findProcessIdentity(stranger.pid)).toBeDefined();
  expect(records()).toEqual([]);
  stranger.signal("SIGKILL");
  await stranger.exited;
});

test("a process whose agent dies before it is on record never starts", () => {
  const command = ["-c", `${GATE} || echo gone`, "sh", "echo", "started"];
  expect(execFileSync("/bin/sh", command, { input: "", encoding: "utf8" })).toBe("gone\n");
  expect(execFileSync("/bin/sh", command, { input: "go\n", encoding: "utf8" })).toBe("started\n");
});

test("a zombie counts as ended", async () => {
  const parent = launch("sleep 0 & echo $!; exec sleep 1000");
  await eventually(() => readFileSync(log(), "utf8")).toMatch(/\d+\n/);
  const zombie = Number(readFileSync(log(), "utf8"));
  await eventually(() => findProcessIdentity(zombie)).toBeUndefined();
  expect(process.kill(zombie, 0)).toBe(true);
  parent.signal("SIGKILL");
  await parent.exited;
});
