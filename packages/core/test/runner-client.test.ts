import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  proceduresDirectory,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from "@cactus/teststack-simulator";
import { expect, onTestFinished, test } from "vitest";
import { createHierarchy, issueClientCertificate, loadAuthority } from "../src/pki/index.ts";
import {
  createRunnerClient,
  hasTest,
  judgeCriteria,
  RunnerError,
  type RunnerLimits,
  type RunRequest,
} from "../src/runner/index.ts";
import { transportTo } from "../src/runner/transport.ts";

async function startRunner(options: SimulatorOptions = {}, limits: Partial<RunnerLimits> = {}) {
  const simulator = await startSimulator(options);
  onTestFinished(() => simulator[Symbol.asyncDispose]());
  const transport = transportTo(simulator.url, async () => ({ dispatcher: undefined, headers: {} }));
  return { simulator, runner: createRunnerClient(transport, limits) };
}

const now = new Date();
const hierarchy = await createHierarchy({ organisation: "test", now });
const authority = loadAuthority({
  certificatePem: hierarchy.micaPem + hierarchy.mcaPem + hierarchy.sercaPem,
  privateKeyPem: hierarchy.micaPrivateKeyPem,
  now,
});
const device = await issueClientCertificate(authority, { kind: "device", pen: 0, hardwareSerial: "x", now });

function request(procedureId: string, changes: Partial<RunRequest> = {}): RunRequest {
  return {
    runId: "run-1",
    procedureId,
    procedureYaml: readFileSync(`${proceduresDirectory}/${procedureId}.yaml`, "utf8"),
    runGroup: { id: "1", name: "group", csipAusVersion: "v1.2" },
    certificate: { kind: "device", pem: device.certificatePem },
    subscriptionDomain: null,
    isStaticUrl: false,
    pen: 0,
    user: { id: "1", name: "user" },
    ...changes,
  };
}

const asDevice = (simulator: Simulator, path: string) =>
  fetch(simulator.url + path, { headers: { "ssl-client-cert": encodeURIComponent(device.certificatePem) } });

async function read(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function failureOf(call: Promise<unknown>): Promise<RunnerError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RunnerError)) throw new Error(`no RunnerError but ${error}`);
  return error;
}

test.each(["camel", "snake"] as const)("a whole test, with answers in %s case", async (responseCase) => {
  const { simulator, runner } = await startRunner({ faults: { responseCase } });
  await runner.health();
  expect(hasTest(await runner.status())).toBe(false);
  expect(await runner.initialise(request("ALL-02"))).toEqual({ isStarted: false });
  await runner.start();
  expect((await asDevice(simulator, "/dcap")).status).toBe(200);
  const status = await runner.status();
  expect(status).toMatchObject({
    testProcedureName: "ALL-02",
    lastClientInteraction: { interactionType: "Request Proxied" },
  });
  expect(status.requestHistory).toMatchObject([{ path: "/dcap", status: 200 }]);
  expect(judgeCriteria(status)).toBe(false);
  const pair = await runner.requestPair(status.requestHistory[0]?.requestId ?? -1);
  expect(pair?.request).toContain("GET /dcap");
  expect(await runner.requestPair(9_999)).toBeUndefined();

  const answer = await runner.finalise();
  const zip = await read(answer.content);
  expect(answer).toMatchObject({ contentType: "application/zip", size: zip.length });
  expect(answer.fileName).toMatch(/^CactusTestProcedureArtifacts_[0-9T+-]+_ALL-02\.zip$/);
  expect(zip.subarray(0, 2).toString()).toBe("PK");
  expect(await failureOf(runner.finalise())).toMatchObject({ kind: "refused", status: 400 });
});

test("a procedure that starts at once says so", async () => {
  const { runner } = await startRunner();
  expect(await runner.initialise(request("ALL-01"))).toEqual({ isStarted: true });
  const conflict = await failureOf(runner.initialise(request("ALL-01")));
  expect(conflict).toMatchObject({ kind: "conflict", message: expect.stringContaining("already active") });
});

test("a precondition's text is for the user, and the test is active all the same", async () => {
  const { runner } = await startRunner();
  await runner.initialise(request("GEN-01"));
  expect(await failureOf(runner.start())).toMatchObject({
    kind: "precondition",
    message: "Unable to start test procedure, pre condition check has failed: No EndDevice is currently registered.",
  });
  expect(hasTest(await runner.status())).toBe(true);
});

test("texts of 400 and 500 answers, which echo requests and tracebacks, do not get out", async () => {
  const { runner, simulator } = await startRunner();
  const broken = await failureOf(runner.initialise(request("ALL-01", { procedureYaml: "Description: [" })));
  expect(broken).toMatchObject({ kind: "refused", message: "The runner refused the call (400)." });
  simulator.setFaults({ initialiseFails: "500" });
  const failed = await failureOf(runner.initialise(request("ALL-01")));
  expect(failed).toMatchObject({ kind: "broken", message: "The runner failed inside." });
  expect(String(failed.cause)).toContain("Traceback");
});

test("a runner that is not healthy, silent or not there is told apart", async () => {
  const { runner, simulator } = await startRunner({ faults: { unhealthy: true } }, { readSeconds: 0.3 });
  expect(await failureOf(runner.health())).toMatchObject({ kind: "unhealthy", status: 503 });
  simulator.setFaults({ silent: true });
  expect(await failureOf(runner.status())).toMatchObject({ kind: "silent", message: "The runner does not answer." });
  await simulator[Symbol.asyncDispose]();
  expect(await failureOf(runner.status())).toMatchObject({ kind: "silent" });
});

test("an archive that breaks off is an error, never a short archive", async () => {
  const { runner, simulator } = await startRunner({ faults: { archiveMib: 4, finalizeCutBytes: 1_000_000 } });
  await runner.initialise(request("ALL-01"));
  const whole = runner.finalise().then((answer) => read(answer.content));
  expect(await failureOf(whole)).toMatchObject({ kind: "silent" });
  simulator.setFaults({ finalizeCutBytes: 0, finalizeKilled: true });
  await runner.initialise(request("ALL-01"));
  expect(await failureOf(runner.finalise())).toMatchObject({ kind: "silent" });
  expect(hasTest(await runner.status())).toBe(false);
});

test.each(["GET /status", "GET /health"])("an answer to %s that trickles without end is given up", async (call) => {
  const server = createServer((_request, response) => {
    const trickle = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(trickle));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = transportTo(url, async () => ({ dispatcher: undefined, headers: {} }));
  const runner = createRunnerClient(transport, { readSeconds: 0.3 });
  const failure = await failureOf(call === "GET /status" ? runner.status() : runner.health());
  expect(failure).toMatchObject({ kind: "silent", message: "The runner broke off its answer." });
});
