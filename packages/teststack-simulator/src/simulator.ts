import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Settings, settingTable } from "./config.ts";
import { createControlServer } from "./control.ts";
import { type Faults, faultTable } from "./faults.ts";
import { toErrorAnswer } from "./http/answer.ts";
import { parseTarget } from "./http/request-target.ts";
import { sendAnswer, sendArchive } from "./http/send.ts";
import { Archive } from "./runner/archive.ts";
import { ClientProxy } from "./runner/client-proxy.ts";
import { Journal } from "./runner/journal.ts";
import { RequestFiles } from "./runner/request-files.ts";
import { answerRequest, type Worker } from "./runner/routes.ts";
import { Runner, WorkerKilledError } from "./runner/runner.ts";
import type { Stack } from "./runner/stack.ts";
import { UtilityServer } from "./utility-server/utility-server.ts";
import { readVariables } from "./variable.ts";

/** Everything may be left out; then the simulator is well, and listens on a free port of 127.0.0.1. */
export interface SimulatorOptions extends Partial<Settings> {
  faults?: Partial<Faults>;
  now?: () => Date;
  /** What a crash does, given the exit code. Left out, the simulator stops listening and its connections are closed. */
  onCrash?: (exitCode: number) => void;
}

export interface Simulator extends AsyncDisposable {
  readonly url: string;
  readonly controlUrl: string | undefined;
  /** Lets things go wrong, or right again, from now on. */
  setFaults(faults: Partial<Faults>): void;
  /** Replaces the runner's worker, as its web server does when one dies: the test is gone, files and devices stay. */
  respawnWorker(): void;
}

/** Starts a teststack within this process; it answers as cactus-runner 1.15 in front of envoy does. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { onCrash, now = () => new Date(), faults: givenFaults, ...given } = options;
  const defaults = { ...readVariables(settingTable, {}).values, host: "127.0.0.1", port: 0 };
  const settings: Settings = { ...defaults, ...given };
  const stack = createStack(settings, { ...readVariables(faultTable, {}).values, ...givenFaults }, now);
  const { faults } = stack;
  let worker = createWorker(stack);

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const target = parseTarget(request.url ?? "/");
    if (faults.crashOn === `${request.method} ${target.route}`) return crash();
    try {
      const found = await answerRequest(worker, request, target, settings.proxyPrefix);
      if (found instanceof Archive) await sendArchive(response, found, faults.finalizeCutBytes);
      else sendAnswer(response, found, faults.responseCase);
    } catch (error) {
      if (error instanceof WorkerKilledError) respawnWorker();
      else if (!response.headersSent) sendAnswer(response, toErrorAnswer(error), faults.responseCase);
    }
  };
  const server = createServer((request, response) => {
    if (!faults.silent) void answer(request, response);
  });
  const respawnWorker = (): void => {
    worker = createWorker(stack);
    server.closeAllConnections();
  };

  let crashTimer: NodeJS.Timeout | undefined;
  const crash = (): void => (onCrash === undefined ? void close(server) : onCrash(faults.crashExitCode));
  const setFaults = (changed: Partial<Faults>): void => {
    Object.assign(faults, changed);
    if (changed.crashAfterSeconds === undefined) return;
    clearTimeout(crashTimer);
    if (changed.crashAfterSeconds > 0) crashTimer = setTimeout(crash, changed.crashAfterSeconds * 1000);
  };
  setFaults(faults);

  const control = createControlServer({ faults, setFaults, respawnWorker });
  const { controlPort } = settings;
  const controlUrl = controlPort === undefined ? undefined : await listen(control, settings.host, controlPort);
  await sleep(faults.startDelaySeconds * 1000);
  const url = await listen(server, settings.host, settings.port);
  return {
    url,
    controlUrl,
    setFaults,
    respawnWorker,
    async [Symbol.asyncDispose]() {
      clearTimeout(crashTimer);
      stack.files[Symbol.dispose]();
      await Promise.all([close(server), close(control)]);
    },
  };
}

function createStack(settings: Settings, faults: Faults, now: () => Date): Stack & { readonly faults: Faults } {
  const logs = { envoy: new Journal(), admin: new Journal(), runner: new Journal() };
  logs.envoy.write(now(), "envoy.notification.main", "Notification worker started");
  const files = new RequestFiles(settings.dataDir === "" ? undefined : settings.dataDir);
  return { utilityServer: new UtilityServer(settings.hrefPrefix, now), files, logs, faults, now };
}

function createWorker(stack: Stack): Worker {
  const runner = new Runner(stack);
  return { runner, proxy: new ClientProxy(runner) };
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error(`no TCP address on ${host}:${port}`);
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${name}:${address.port}`;
}

function close(server: Server): Promise<void> {
  return new Promise((closed) => {
    server.close(() => closed());
    server.closeAllConnections();
  });
}
