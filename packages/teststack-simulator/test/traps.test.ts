import { expect, test } from "vitest";
import { type Simulator, type SimulatorOptions, startSimulator } from "../src/index.ts";
import { open, type Reply, send, sendJson, sendPipeline } from "./_http.ts";
import {
  aggregatorLfdi,
  aggregatorPem,
  buildRunRequest,
  buildYaml,
  clientHeader,
  deviceLfdi,
  devicePem,
} from "./_run-requests.ts";
import { readZip } from "./_zip.ts";

const client = clientHeader(devicePem);

async function startWithTest(options?: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator(options);
  expect((await sendJson(simulator.url, "POST /initialise", buildRunRequest())).status).toBe(201);
  return simulator;
}

async function getStatus(simulator: Simulator): Promise<Record<string, unknown>> {
  return JSON.parse((await send(simulator.url, "GET /status")).text);
}

test("a 412 at initialise leaves the test active: only finalize makes room for another", async () => {
  await using simulator = await startSimulator();
  const yaml = buildYaml({
    preconditions: "Preconditions: {immediate_start: true, checks: [{type: end-device-contents, parameters: {}}]}\n",
    steps: [{ name: "GET-DCAP", type: "GET-request-received", endpoint: "/dcap" }],
  });
  const initialise = (): Promise<Reply> => sendJson(simulator.url, "POST /initialise", buildRunRequest({ yaml }));
  expect((await initialise()).status).toBe(412);
  expect(await getStatus(simulator)).toMatchObject({ testProcedureName: "ALL-01", timestampStart: null });
  expect((await initialise()).status).toBe(409);
  expect((await send(simulator.url, "POST /finalize")).status).toBe(200);
  expect((await initialise()).status).toBe(412);
});

test("finalize answers once, with the whole of what is known", async () => {
  await using simulator = await startWithTest();
  await send(simulator.url, "GET /dcap", { headers: client });
  await send(simulator.url, "POST /edev", { headers: client, body: "no XML" });
  const reply = await send(simulator.url, "POST /finalize");
  expect(Number(reply.headers["content-length"])).toBe(reply.body.length);
  expect(reply.headers.etag).toMatch(new RegExp(`^"[0-9a-f]{16}-${reply.body.length.toString(16)}"$`));
  const entries = await readZip(reply.body);
  const infix = /Summary(_\d{10}_ALL-01)\.json/.exec(Object.keys(entries).join())?.[1];
  expect(Object.keys(entries)).toEqual([
    "requests/",
    `EnvoyDBSchema${infix}.dump`,
    `envoy.server${infix}.log`,
    `ReportingData_v1${infix}.json`,
    `envoy.admin${infix}.log`,
    `CactusTestProcedureSummary${infix}.json`,
    `cactus_runner${infix}.log`,
    `EnvoyDB${infix}.dump`,
    "requests/000-GET-DCAP-dcap.request",
    "requests/000-GET-DCAP-dcap.response",
    "requests/001-Unmatched-edev.request",
    "requests/001-Unmatched-edev.response",
  ]);
  expect(JSON.parse(String(entries[`CactusTestProcedureSummary${infix}.json`]))).toMatchObject({
    testProcedureName: "ALL-01",
    statusSummary: "1/4 steps complete.",
    requestHistory: [
      { stepName: "GET-DCAP" },
      { bodyXmlErrors: ["The provided body 'no XML'... does NOT parse as XML"] },
    ],
  });
  expect(JSON.parse(String(entries[`ReportingData_v1${infix}.json`])).checkResults).toEqual({
    "all-steps-complete": {
      passed: false,
      description: "Steps GET-EDEV-LIST, GET-TM, GET-DER have not been completed.",
    },
    "all-requests-xsd-valid": { passed: false, description: "Detected 1 xsd errors over 1 request(s)." },
  });
  expect((await send(simulator.url, "POST /finalize")).status).toBe(400);
});

test("a finalize under way blocks health, status and clients", async () => {
  await using simulator = await startWithTest({ faults: { finalizeSeconds: 0.2 } });
  const answers = await sendPipeline(simulator.url, ["POST /finalize", "GET /status", "GET /health", "GET /dcap"]);
  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual([200, 200, 200, 400].map((status) => `HTTP/1.1 ${status}`));
  // Had they not waited, there would still have been a test.
  expect(answers).toContain('"testProcedureName": "-"');
  expect(answers).toContain("An active test procedure is required.");
});

test("two finalizes at a time are both answered, with the same archive", async () => {
  await using simulator = await startWithTest({ faults: { finalizeSeconds: 0.2 } });
  const answers = await sendPipeline(simulator.url, ["POST /finalize", "POST /finalize"]);
  expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  const [first, second] = answers
    .split("HTTP/1.1 200 OK")
    .slice(1)
    .map((answer) => answer.slice(answer.indexOf("\r\n\r\n") + 4));
  expect(first).toMatch(/^PK/);
  expect(second === first).toBe(true);
});

test("a caller of finalize that hangs up loses the archive", async () => {
  await using simulator = await startWithTest({ faults: { archiveMib: 16 } });
  const { request, answer } = open(simulator.url, "POST /finalize");
  await answer;
  request.on("error", () => undefined).destroy();
  expect((await send(simulator.url, "POST /finalize")).status).toBe(400);
  expect((await send(simulator.url, "GET /health")).status).toBe(200);
});

test("a worker that respawns has forgotten its test and its client; the files of requests stay", async () => {
  await using simulator = await startWithTest();
  await send(simulator.url, "GET /dcap", { headers: client });
  simulator.respawnWorker();
  expect(await getStatus(simulator)).toMatchObject({
    testProcedureName: "-",
    lastClientInteraction: { interactionType: "Runner Started" },
  });
  expect((await send(simulator.url, "POST /finalize")).status).toBe(400);
  expect((await send(simulator.url, "GET /dcap", { headers: client })).status).toBe(400);
  expect((await sendJson(simulator.url, "POST /next-test", buildRunRequest())).status).toBe(409);
  expect(JSON.parse((await send(simulator.url, "GET /requests")).text)).toEqual({ requestIds: [0], count: 1 });
  expect(JSON.parse((await send(simulator.url, "GET /request/0")).text).request).toContain("GET /dcap HTTP/1.1");
});

test("files of an earlier test are listed and served beside those of the present one", async () => {
  await using simulator = await startWithTest();
  for (const path of ["/dcap", "/tm"]) await send(simulator.url, `GET ${path}`, { headers: client });
  await send(simulator.url, "POST /finalize");
  await sendJson(simulator.url, "POST /next-test", buildRunRequest({ procedureId: "ALL-02" }));
  await send(simulator.url, "GET /edev", { headers: client });
  expect((await getStatus(simulator))["requestHistory"]).toMatchObject([{ requestId: 0, path: "/edev" }]);
  expect(JSON.parse((await send(simulator.url, "GET /requests")).text)).toEqual({ requestIds: [0, 1], count: 2 });
  expect(JSON.parse((await send(simulator.url, "GET /request/0")).text).request).toContain("GET /dcap HTTP/1.1");
  const entries = await readZip((await send(simulator.url, "POST /finalize")).body);
  expect(Object.keys(entries)).toEqual(
    expect.arrayContaining(["requests/001-GET-TM-tm.request", "requests/000-Unmatched-edev.request"]),
  );
});

test("request files have names that a folder can hold, whatever a client asks for", async () => {
  await using simulator = await startWithTest();
  for (const path of ["/", `/${"long/".repeat(100)}`, "/%2e%2e%2f%00?x=../y"]) {
    expect((await send(simulator.url, `GET ${path}`, { headers: client })).status).toBe(404);
  }
  const entries = Object.keys(await readZip((await send(simulator.url, "POST /finalize")).body));
  expect(entries.filter((name) => name.endsWith(".request"))).toEqual([
    "requests/000-Unmatched-root.request",
    expect.stringMatching(/^requests\/001-Unmatched-long_long_.{100,200}\.request$/),
    "requests/002-Unmatched-..__.request",
  ]);
});

test("next-test keeps the client and its devices, whatever certificate its body has", async () => {
  await using simulator = await startWithTest();
  await send(simulator.url, "POST /finalize");
  const other = buildRunRequest({ aggregator: aggregatorPem, device: null });
  expect((await sendJson(simulator.url, "POST /next-test", other)).status).toBe(201);
  expect((await send(simulator.url, "GET /edev/1", { headers: client })).status).toBe(200);
  expect((await send(simulator.url, "GET /edev/1", { headers: clientHeader(aggregatorPem) })).status).toBe(403);
});

test("a chunked request body hangs the proxy for every client, but not the runner's own calls", async () => {
  let time = Date.UTC(2026, 0);
  const now = (): Date => {
    time += 1000;
    return new Date(time);
  };
  await using simulator = await startWithTest({ now });
  const getInteraction = async (): Promise<unknown> => (await getStatus(simulator))["lastClientInteraction"];
  const hanging = open(simulator.url, "POST /edev", { headers: client, body: "<EndDevice/>", chunked: true });
  const patience = { timeout: 30_000 };
  await expect.poll(getInteraction, patience).toMatchObject({ interactionType: "Request Proxied" });
  const arrived = await getInteraction();
  const behind = open(simulator.url, "GET /dcap", { headers: client });
  const lost = Promise.allSettled([hanging.answer, behind.answer]);
  await expect.poll(getInteraction, patience).not.toEqual(arrived);
  // Both have arrived, and neither is through.
  expect((await getStatus(simulator))["requestHistory"]).toEqual([]);
  simulator.respawnWorker();
  expect((await lost).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});

test("the hang ends with a 500, and the proxy goes on", async () => {
  await using simulator = await startWithTest({ faults: { chunkedHangSeconds: 0.05 } });
  const hung = await send(simulator.url, "POST /edev", { headers: client, body: "<EndDevice/>", chunked: true });
  expect(hung.status).toBe(500);
  expect(JSON.parse(hung.text)["error"]).toBe("Internal Server Error: <class 'TimeoutError'> ");
  expect((await send(simulator.url, "GET /dcap", { headers: client })).status).toBe(200);
});

test.each<[string, string | string[], number]>([
  ["a PEM, leaf first", encodeURIComponent(devicePem + aggregatorPem), 200],
  ["a PEM, leaf last", encodeURIComponent(aggregatorPem + devicePem), 403],
  ["a PEM that is not encoded", devicePem.replaceAll("\n", " "), 200],
  ["a bare LFDI", deviceLfdi, 200],
  ["a bare SHA-256", `${deviceLfdi}${"0".repeat(24)}`, 200],
  ["another's LFDI", aggregatorLfdi, 403],
  ["an LFDI in capitals", deviceLfdi.toUpperCase(), 500],
  ["garbage", "garbage", 500],
  ["twice, its own first", [deviceLfdi, aggregatorLfdi], 200],
  ["twice, its own last", [aggregatorLfdi, deviceLfdi], 403],
])("a client is known by its certificate: %s", async (_, header, status) => {
  await using simulator = await startWithTest();
  expect((await send(simulator.url, "GET /dcap", { headers: { "ssl-client-cert": header } })).status).toBe(status);
});

test.each([
  ["", "GET /%73tatus", 200],
  ["", "GET http://elsewhere/status", 200],
  ["", "HEAD /health", 400],
  ["", "GET /finalize", 400],
  ["", "POST /status", 400],
  ["/envoy", "GET /%73tatus", 200],
  ["/envoy", "GET /dcap", 404],
  ["/envoy", "GET /envoy", 404],
  ["/envoy", "GET /envoyage/dcap", 404],
  ["/envoy", "POST /status", 405],
  ["/envoy", "HEAD /health", 405],
  ["/envoy", "GET /envoy/status", 400],
  ["/envoy", "GET /.well-known/csipaus", 410],
])("with the proxy prefix %j, an idle runner answers %s by %i", async (proxyPrefix, line, status) => {
  await using simulator = await startSimulator({ proxyPrefix });
  expect((await send(simulator.url, line)).status).toBe(status);
});

test("the status lists the requests of the last 15 minutes; the archive lists all", async () => {
  let time = Date.UTC(2026, 0);
  await using simulator = await startWithTest({ now: () => new Date(time) });
  await send(simulator.url, "GET /dcap", { headers: client });
  time += 15 * 60 * 1000 + 1;
  await send(simulator.url, "GET /tm", { headers: client });
  expect((await getStatus(simulator))["requestHistory"]).toMatchObject([{ requestId: 1, path: "/tm" }]);
  const entries = await readZip((await send(simulator.url, "POST /finalize")).body);
  const summary = Object.entries(entries).find(([name]) => name.startsWith("CactusTestProcedureSummary"))?.[1];
  expect(JSON.parse(String(summary)).requestHistory).toHaveLength(2);
});

test("lists are walked in pages, and only the first page makes a step happen", async () => {
  await using simulator = await startWithTest();
  await send(simulator.url, "GET /dcap", { headers: client });
  const second = await send(simulator.url, "GET /edev?s=1&l=1", { headers: client });
  expect(second.text).toContain('all="1" results="0"');
  expect((await getStatus(simulator))["statusSummary"]).toBe("1/4 steps complete.");
  await send(simulator.url, "GET /edev?s=0&l=1", { headers: client });
  expect((await getStatus(simulator))["statusSummary"]).toBe("2/4 steps complete.");
  expect((await send(simulator.url, "GET /edev?s=x", { headers: client })).status).toBe(500);
});

test("a device registers itself only, an aggregator whom it likes", async () => {
  await using device = await startWithTest();
  const endDevice = (lfdi: string): string =>
    `<EndDevice xmlns="urn:ieee:std:2030.5:ns"><deviceCategory>02</deviceCategory><lFDI>${lfdi}</lFDI></EndDevice>`;
  expect((await send(device.url, "POST /edev", { headers: client, body: endDevice(aggregatorLfdi) })).status).toBe(403);
  const again = await send(device.url, "POST /edev", { headers: client, body: endDevice(deviceLfdi.toUpperCase()) });
  expect([again.status, again.headers.location]).toEqual([201, "/edev/1"]);
  expect((await getStatus(device))["endDeviceMetadata"]).toMatchObject({ edevid: 1, deviceCategory: 2 });

  await using aggregator = await startSimulator({ hrefPrefix: "/run-7" });
  await sendJson(aggregator.url, "POST /initialise", buildRunRequest({ aggregator: aggregatorPem, device: null }));
  const headers = clientHeader(aggregatorPem);
  const registered = await send(aggregator.url, "POST /edev", { headers, body: endDevice(deviceLfdi) });
  expect([registered.status, registered.headers.location]).toEqual([201, "/run-7/edev/2"]);
  const list = await send(aggregator.url, "GET /edev?l=10", { headers });
  expect(list.text.match(/<EndDevice href="[^"]*"/g)).toEqual(
    ["/run-7/edev/0", "/run-7/edev/1", "/run-7/edev/2"].map((href) => `<EndDevice href="${href}"`),
  );
});
