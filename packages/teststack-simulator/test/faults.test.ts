import { expect, test } from "vitest";
import { startSimulator } from "../src/index.ts";
import { open, send, sendJson } from "./_http.ts";
import { buildRunRequest, clientHeader, devicePem } from "./_run-requests.ts";
import { readZip } from "./_zip.ts";

const client = clientHeader(devicePem);

test("snake_case: every key but the names of steps", async () => {
  await using simulator = await startSimulator({ faults: { responseCase: "snake" } });
  const initialised = await sendJson(simulator.url, "POST /initialise", buildRunRequest());
  expect(JSON.parse(initialised.text)).toMatchObject({ test_procedure: "ALL-01", is_started: true });
  await send(simulator.url, "GET /dcap", { headers: client });
  expect(JSON.parse((await send(simulator.url, "GET /status")).text)).toMatchObject({
    last_client_interaction: { interaction_type: "Request Proxied" },
    step_status: { "GET-DCAP": { event_status: null }, "GET-TM": { event_status: "GET /tm" } },
    request_history: [{ step_name: "GET-DCAP", body_xml_errors: [], request_id: 0 }],
    end_device_metadata: { aggregator_id: 0 },
  });
  expect(JSON.parse((await send(simulator.url, "GET /requests")).text)).toEqual({ request_ids: [0], count: 1 });
});

test("unhealthy: health is 503, until it is well again", async () => {
  await using simulator = await startSimulator({ faults: { unhealthy: true } });
  expect((await send(simulator.url, "GET /health")).status).toBe(503);
  simulator.setFaults({ unhealthy: false });
  expect((await send(simulator.url, "GET /health")).status).toBe(200);
});

test("silent: accepts a connection, and never answers", async () => {
  await using simulator = await startSimulator({ faults: { silent: true }, controlPort: 0 });
  const silenced = open(simulator.url, "GET /health");
  const fate = silenced.answer.then(
    () => "answered",
    () => "gave up",
  );
  // The control endpoint shares the loop: each of its answers shows that the simulator had its chance.
  for (let turn = 0; turn < 20; turn += 1) await send(simulator.controlUrl ?? "", "GET /faults");
  simulator.setFaults({ silent: false });
  expect((await send(simulator.url, "GET /health")).status).toBe(200);
  expect(await Promise.race([fate, "waiting"])).toBe("waiting");
  silenced.request.destroy();
  expect(await fate).toBe("gave up");
});

test("start delay: nothing listens at first", async () => {
  await using other = await startSimulator();
  const port = Number(new URL(other.url).port);
  await other[Symbol.asyncDispose]();
  const starting = startSimulator({ port, faults: { startDelaySeconds: 1 } });
  await expect(send(`http://127.0.0.1:${port}`, "GET /health")).rejects.toThrow("ECONNREFUSED");
  await using simulator = await starting;
  expect((await send(simulator.url, "GET /health")).status).toBe(200);
});

test("crash: at a call, with a code", async () => {
  const codes: number[] = [];
  const onCrash = (code: number): void => void codes.push(code);
  await using simulator = await startSimulator({ faults: { crashOn: "POST /start", crashExitCode: 137 }, onCrash });
  expect((await send(simulator.url, "GET /health")).status).toBe(200);
  const { request, answer } = open(simulator.url, "POST /start");
  const fate = answer.catch(() => "gave up");
  await expect.poll(() => codes).toEqual([137]);
  request.destroy();
  expect(await fate).toBe("gave up");
});

test("crash: after a time, and within one process no more than the simulator is gone", async () => {
  await using simulator = await startSimulator();
  simulator.setFaults({ crashAfterSeconds: 0.01 });
  const refused = (): Promise<unknown> => send(simulator.url, "GET /health").then(() => undefined, String);
  await expect.poll(refused, { timeout: 20_000 }).toContain("ECONNREFUSED");
});

test("initialise fails with 500: there is no test", async () => {
  await using simulator = await startSimulator({ faults: { initialiseFails: "500" } });
  const reply = await sendJson(simulator.url, "POST /initialise", buildRunRequest());
  expect(reply.status).toBe(500);
  expect(Object.keys(JSON.parse(reply.text))).toEqual(["error", "traceback"]);
  expect((await send(simulator.url, "POST /finalize")).status).toBe(400);
});

test("initialise fails with 412: there is a test", async () => {
  await using simulator = await startSimulator({ faults: { initialiseFails: "412" } });
  expect((await sendJson(simulator.url, "POST /initialise", buildRunRequest())).status).toBe(412);
  expect((await sendJson(simulator.url, "POST /initialise", buildRunRequest())).status).toBe(409);
  expect((await send(simulator.url, "POST /finalize")).status).toBe(200);
});

test("big archive: as many MiB more as asked for, of a known length", async () => {
  await using simulator = await startSimulator({ faults: { archiveMib: 3 } });
  await sendJson(simulator.url, "POST /initialise", buildRunRequest());
  const reply = await send(simulator.url, "POST /finalize");
  expect(Number(reply.headers["content-length"])).toBe(reply.body.length);
  const { "filler.bin": filler } = await readZip(reply.body);
  expect(filler?.length).toBe(3 * 1024 * 1024);
  expect(new Set(filler?.subarray(0, 65_536)).size).toBe(256);
});

test("error archive: 200, with errors.txt alone", async () => {
  await using simulator = await startSimulator({ faults: { errorArchive: true, archiveMib: 1 } });
  await sendJson(simulator.url, "POST /initialise", buildRunRequest());
  const reply = await send(simulator.url, "POST /finalize");
  expect(reply.status).toBe(200);
  expect(Object.keys(await readZip(reply.body))).toEqual(["errors.txt"]);
});

test.each([
  ["killed", { finalizeKilled: true }],
  ["too slow for its server", { finalizeSeconds: 30, finalizeLimitSeconds: 0.05 }],
])("finalize %s: no answer, and the worker has forgotten the test", async (_, faults) => {
  await using simulator = await startSimulator({ faults });
  await sendJson(simulator.url, "POST /initialise", buildRunRequest());
  await expect(send(simulator.url, "POST /finalize")).rejects.toThrow("socket hang up");
  expect(JSON.parse((await send(simulator.url, "GET /status")).text)).toMatchObject({
    testProcedureName: "-",
    lastClientInteraction: { interactionType: "Runner Started" },
  });
});

test("finalize cut: reset in the middle of the zip, and the test is gone", async () => {
  const cut = 1_000_000;
  await using simulator = await startSimulator({ faults: { finalizeCutBytes: cut, archiveMib: 2 } });
  await sendJson(simulator.url, "POST /initialise", buildRunRequest());
  const response = await open(simulator.url, "POST /finalize").answer;
  expect([response.statusCode, Number(response.headers["content-length"]) > cut]).toEqual([200, true]);
  let received = 0;
  await expect(
    (async () => {
      for await (const chunk of response) received += chunk.length;
    })(),
  ).rejects.toThrow(/aborted|ECONNRESET/);
  expect(received).toBeLessThanOrEqual(cut);
  expect((await send(simulator.url, "POST /finalize")).status).toBe(400);
});

test("the control endpoint changes faults at run time, and is nowhere on the public port", async () => {
  await using simulator = await startSimulator({ controlPort: 0 });
  const control = simulator.controlUrl ?? "";
  const changed = await sendJson(control, "PATCH /faults", { unhealthy: true, archiveMib: 2 });
  expect(JSON.parse(changed.text)).toMatchObject({ unhealthy: true, archiveMib: 2, silent: false });
  expect(JSON.parse((await send(control, "GET /faults")).text)).toEqual(JSON.parse(changed.text));
  expect((await send(simulator.url, "GET /health")).status).toBe(503);

  const refused = await sendJson(control, "PATCH /faults", { unhealthy: "perhaps", unknown: 1 });
  expect(refused.status).toBe(400);
  expect(refused.text).toMatch(/unhealthy: expected true or false.*unknown: there is no such fault/s);
  expect((await send(control, "PATCH /faults", { body: "{" })).status).toBe(400);
  expect((await send(control, "GET /status")).status).toBe(404);

  await sendJson(simulator.url, "POST /initialise", buildRunRequest());
  for (const line of ["GET /faults", "PATCH /faults", "POST /respawn"]) {
    expect((await send(simulator.url, line, { headers: client })).status).toBe(404);
  }
  expect((await send(control, "POST /respawn")).status).toBe(204);
  expect((await send(simulator.url, "POST /finalize")).status).toBe(400);
});
