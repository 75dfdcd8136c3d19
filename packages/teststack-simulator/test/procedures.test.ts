import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { proceduresDirectory, type Simulator, startSimulator } from "../src/index.ts";
import { type Reply, send, sendJson } from "./_http.ts";
import { buildRunRequest, buildYaml, clientHeader, deviceLfdi, devicePem } from "./_run-requests.ts";

const headers = clientHeader(devicePem);

async function initialise(simulator: Simulator, procedureId: string): Promise<Reply> {
  const yaml = readFileSync(join(proceduresDirectory, `${procedureId}.yaml`), "utf8");
  return sendJson(simulator.url, "POST /initialise", buildRunRequest({ procedureId, yaml }));
}

async function request(simulator: Simulator, ...paths: string[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const path of paths) statuses.push((await send(simulator.url, `GET ${path}`, { headers })).status);
  return statuses;
}

async function getStatus({ url }: Simulator): Promise<Record<string, unknown>> {
  return JSON.parse((await send(url, "GET /status")).text);
}

test("each example has the keys that every reader of procedures needs", () => {
  const names = readdirSync(proceduresDirectory);
  expect(names).toEqual(["ALL-01.yaml", "ALL-02.yaml", "GEN-01.yaml"]);
  for (const name of names) {
    expect(parse(readFileSync(join(proceduresDirectory, name), "utf8"))).toMatchObject({
      Description: expect.any(String),
      Category: expect.any(String),
      Classes: expect.arrayContaining([expect.any(String)]),
      TargetVersions: expect.arrayContaining(["v1.2"]),
      Preconditions: {
        init_actions: [{ type: "set-comms-rate", parameters: { dcap_poll_seconds: expect.any(Number) } }],
      },
    });
  }
});

test("ALL-01 starts at once, and is done by walking from /dcap", async () => {
  await using simulator = await startSimulator();
  expect(JSON.parse((await initialise(simulator, "ALL-01")).text)).toMatchObject({ isStarted: true });
  expect(await request(simulator, "/dcap", "/edev", "/tm", "/edev/1/der")).toEqual([200, 200, 200, 200]);
  expect(await getStatus(simulator)).toMatchObject({
    statusSummary: "4/4 steps complete.",
    criteria: [{ success: true }],
    instructions: null,
  });
});

test("ALL-02 is initialised, then started, and takes its steps one after another", async () => {
  await using simulator = await startSimulator();
  expect(JSON.parse((await initialise(simulator, "ALL-02")).text)).toMatchObject({ isStarted: false });
  expect(await request(simulator, "/tm")).toEqual([200]);
  expect(await getStatus(simulator)).toMatchObject({
    statusSummary: "0/3 steps complete.",
    instructions: [expect.stringContaining("start the test")],
    requestHistory: [{ stepName: "Init" }],
  });
  expect((await send(simulator.url, "POST /start")).status).toBe(200);
  expect(await request(simulator, "/edev/1", "/tm", "/tm", "/edev/1")).toEqual([200, 200, 200, 200]);
  expect(await getStatus(simulator)).toMatchObject({
    statusSummary: "3/3 steps complete.",
    requestHistory: ["Init", "Unmatched", "FIRST-TM", "SECOND-TM", "GET-OWN-EDEV"].map((stepName) => ({ stepName })),
  });
});

test("GEN-01 refuses to start until a device is registered, and lets its client sleep for an hour", async () => {
  await using simulator = await startSimulator();
  expect((await initialise(simulator, "GEN-01")).status).toBe(201);
  expect(await request(simulator, "/edev/1")).toEqual([404]);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const refused = await send(simulator.url, "POST /start");
    expect([refused.status, refused.text]).toEqual([
      412,
      expect.stringContaining("No EndDevice is currently registered."),
    ]);
  }
  const body = `<EndDevice xmlns="urn:ieee:std:2030.5:ns"><lFDI>${deviceLfdi}</lFDI></EndDevice>`;
  expect((await send(simulator.url, "POST /edev", { headers, body })).status).toBe(201);
  expect((await send(simulator.url, "POST /start")).status).toBe(200);
  expect((await send(simulator.url, "GET /dcap", { headers })).text).toContain('pollRate="3600"');
  expect(await request(simulator, "/edev")).toEqual([200]);
  expect(await getStatus(simulator)).toMatchObject({ criteria: [{ success: true }, { success: true }] });
});

test("what is unknown in a procedure breaks nothing, and never comes true", async () => {
  await using simulator = await startSimulator();
  const yaml = buildYaml({
    preconditions:
      "Preconditions: {immediate_start: true, init_actions: [{type: unknown}], actions: [{type: unknown}]}\n",
    steps: [
      { name: "KNOWN", type: "GET-request-received", endpoint: "/tm", extra: "      - {type: constructor}\n" },
      { name: "UNKNOWN", type: "constructor" },
    ],
  }).replace("checks: [", "checks: [{type: constructor, parameters: {}}, ");
  expect((await sendJson(simulator.url, "POST /initialise", buildRunRequest({ yaml }))).status).toBe(201);
  await request(simulator, "/tm", "/tm");
  expect(await getStatus(simulator)).toMatchObject({
    statusSummary: "1/2 steps complete.",
    criteria: [
      { success: false, details: "The simulator does not know the check constructor." },
      { success: false, details: "Steps UNKNOWN have not been completed." },
    ],
  });
});

test("PUT and POST make steps happen too, also after they are served, and with a check of their own", async () => {
  await using simulator = await startSimulator();
  const yaml = buildYaml({
    preconditions: "Preconditions: {immediate_start: true}\n",
    steps: [
      { name: "REGISTER", type: "POST-request-received", endpoint: "/edev" },
      { name: "SETTINGS", type: "PUT-request-received", endpoint: "/edev/*/der/1/derg" },
    ],
  }).replace(
    "{endpoint: /edev}",
    "{endpoint: /edev, serve_request_first: true}, checks: [{type: end-device-contents}]",
  );
  await sendJson(simulator.url, "POST /initialise", buildRunRequest({ yaml }));
  const put = (): Promise<Reply> => send(simulator.url, "PUT /edev/1/der/1/derg", { headers, body: "<DERSettings/>" });
  expect((await put()).status).toBe(404);
  expect((await send(simulator.url, "POST /edev", { headers, body: "<EndDevice/>" })).status).toBe(201);
  expect((await put()).status).toBe(204);
  expect(await getStatus(simulator)).toMatchObject({
    statusSummary: "2/2 steps complete.",
    requestHistory: ["Unmatched", "REGISTER", "SETTINGS"].map((stepName) => ({ stepName })),
  });
});
