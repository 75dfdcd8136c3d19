import { expect, test } from "vitest";
import { type SimulatorOptions, startSimulator } from "../src/index.ts";
import { type Reply, send } from "./_http.ts";
import {
  aggregatorPem,
  buildRunRequest,
  buildYaml,
  clientHeader,
  deviceLfdi,
  devicePem,
  recordedYaml,
} from "./_run-requests.ts";
import { listSamples, readSample, type Sample, toComparable } from "./_runner-samples.ts";

/** One request: to be compared with a recording of it, or only to bring the simulator where the recording was made. */
interface Step {
  sample?: string;
  /** In place of the recorded request line. */
  line?: string;
  body?: string;
  /** Certificate or text of `ssl-client-cert`, where the recording abbreviates it. */
  client?: string;
  /** Only the beginning of the text is the runner's own; the rest is in the words of its YAML parser. */
  begins?: string;
  /** Changes the recorded text where the simulator deliberately differs. */
  expected?: (body: string) => string;
  respawn?: true;
}

const initialise = (options: Parameters<typeof buildRunRequest>[0] = {}): string =>
  JSON.stringify(buildRunRequest(options));
const all = initialise();
const { test_user: _, ...lacking } = buildRunRequest();
const badYaml = "Received invalid test procedure definition ";

const finalize: Step = { line: "POST /finalize" };
const all12 = initialise({
  procedureId: "ALL-12",
  yaml: buildYaml({
    preconditions: `Preconditions:
  instructions: [DER shall be generating or consuming at least 50% of its active power rating.]
  checks: [{type: end-device-contents, parameters: {}}]
`,
    steps: [
      { name: "GET-DERC", type: "GET-request-received", endpoint: "/edev/1/fsa/1/derp" },
      { name: "WAIT-CONTROL-START", type: "wait" },
      { name: "PUT-DERSTATUS-DISCONNECT", type: "PUT-request-received", endpoint: "/edev/1/der/1/ders" },
      { name: "WAIT-CONTROL-END", type: "wait" },
      { name: "PUT-DERSTATUS-RECONNECT", type: "PUT-request-received", endpoint: "/edev/1/der/1/ders" },
    ],
  }),
});
const proceeding = initialise({
  yaml: buildYaml({
    preconditions: "Preconditions: {immediate_start: true}\n",
    steps: [{ name: "GO", type: "proceed" }],
  }),
});
const finishing = initialise({
  yaml: recordedYaml.replace(
    "      - type: remove-steps",
    "      - type: finish-test\n        parameters: {}\n      - type: remove-steps",
  ),
});
const unregistered = initialise({
  yaml: recordedYaml
    .replace("immediate_start: true", "immediate_start: true\n  checks: [{type: end-device-contents, parameters: {}}]")
    .replace("type: register-end-device", "type: nothing"),
});
const endDevice = `<EndDevice xmlns="urn:ieee:std:2030.5:ns"><lFDI>${deviceLfdi.toUpperCase()}</lFDI><sFDI>290648527430</sFDI></EndDevice>`;

const scenarios: { title: string; options?: SimulatorOptions; steps: Step[] }[] = [
  {
    title: "without a test",
    steps: [
      { sample: "01-health" },
      { sample: "02-status-idle" },
      { sample: "03-noactive-GET_dcap" },
      { sample: "03-noactive-GET_proceed" },
      { sample: "03-noactive-GET_request_0" },
      { sample: "03-noactive-GET_request_abc" },
      { sample: "03-noactive-GET_requests" },
      { sample: "03-noactive-POST_finalize" },
      { sample: "03-noactive-POST_next-test", body: all },
      { sample: "03-noactive-POST_start" },
    ],
  },
  {
    title: "bodies of initialise",
    steps: [
      { sample: "04-init-array", body: `[${all}]` },
      { sample: "04-init-empty" },
      { sample: "04-init-garbage", body: "{garbage" },
      { sample: "04-init-missing-key", body: JSON.stringify(lacking) },
      { sample: "04-init-both-certs", body: initialise({ aggregator: aggregatorPem }) },
      { sample: "04-init-no-cert", body: initialise({ device: null }) },
      { sample: "04-init-bad-pem", body: initialise({ device: "not a certificate" }) },
      { sample: "04-init-bad-yaml", body: initialise({ yaml: "a: [1, 2" }), begins: badYaml },
      { sample: "04-init-incomplete-yaml", body: initialise({ yaml: "Description: x" }) },
      { sample: "04-init-bad-version", body: initialise({ version: "v9" }) },
      { sample: "04-init-unknown-key", body: JSON.stringify({ ...buildRunRequest(), further: { key: 1 } }) },
      finalize,
      { sample: "04-init-unknown-id", body: initialise({ procedureId: "NO-SUCH-99" }) },
      finalize,
      {
        sample: "04-init-camel-keys",
        body: all.replace(/"\w+":/g, (key) => key.replace(/_(\w)/g, (_all, letter) => letter.toUpperCase())),
      },
      finalize,
      { sample: "61-init-over-1MiB", body: all.padEnd(1_103_526) },
    ],
  },
  {
    title: "a test that starts at once",
    steps: [
      { sample: "05-initialise-ALL-01", body: all },
      { sample: "06-requests-empty" },
      { sample: "06-status-after-init-ALL-01" },
      { sample: "07-init-twice", body: all },
      { sample: "07-next-while-active", body: all },
      { sample: "07-start-already" },
      { sample: "08-dcap-fake-pem" },
      { sample: "08-dcap-no-header" },
      { sample: "08-dcap-other-cert", client: aggregatorPem },
      { sample: "09-dcap", client: devicePem },
      { sample: "09-edev", client: devicePem },
      { sample: "09-edev_1_der", client: devicePem },
      { sample: "09-nothing", client: devicePem },
      { sample: "09-tm", client: devicePem },
      { sample: "09-POST-edev-bad", client: devicePem, body: "<x/>" },
      { sample: "10-wellknown", client: devicePem },
      { sample: "62-client-body-over-1MiB", client: devicePem, body: endDevice.padEnd(1_048_577) },
      finalize,
    ],
  },
  {
    title: "every request of a test, and its end",
    steps: [
      { line: "POST /initialise", body: all },
      { sample: "13-request-9999" },
      ...replay("11-status-after-requests-ALL-01", toPlainTarget),
      { sample: "11-status-after-requests-ALL-01", expected: withoutEnvoysOwnPages },
      { sample: "12-requests" },
      { sample: "13-request-0" },
      { line: "GET /request/0/x", client: deviceLfdi },
      { sample: "14-proceed" },
      { sample: "15-finalize" },
      { sample: "16-dcap-after-finalise", client: devicePem },
      { sample: "16-finalize-again" },
      { sample: "16-requests-after-finalise" },
      { sample: "16-status-after-finalise" },
      { sample: "30-next-garbage", body: "{x} " },
      { sample: "30-next-bad-yaml", body: initialise({ yaml: "a: [1" }), begins: badYaml },
      { sample: "31-next-test", body: all12.replaceAll("ALL-12", "ALL-26") },
      { sample: "33-proceed" },
    ],
  },
  {
    title: "a test with a precondition",
    steps: [
      { sample: "20-initialise-ALL-12", body: all12 },
      { sample: "21-status-ALL-12-initialised" },
      { sample: "22-start-precondition-412" },
      { line: "GET /dcap", client: deviceLfdi },
      { sample: "23-POST-edev", client: devicePem, body: endDevice },
      { sample: "24-start" },
      { sample: "25-status-ALL-12-started" },
      { sample: "71-PUT-derg", client: devicePem, body: '<DERSettings xmlns="urn:ieee:std:2030.5:ns"/>' },
      finalize,
      { sample: "70-v1.12.4-initialise", body: all12 },
      finalize,
      { sample: "83-initialise-immediate-start-412", body: unregistered },
    ],
  },
  {
    title: "below a prefix",
    options: { hrefPrefix: "/id2", proxyPrefix: "/envoy" },
    steps: [
      { sample: "40-prefix-initialise", body: all },
      ...replay("42-prefix-status", toPrefixedTarget),
      { sample: "42-prefix-status" },
      finalize,
      { line: "POST /initialise", body: all },
      { sample: "41-prefix-dcap", client: devicePem },
    ],
  },
  {
    title: "a worker that has respawned",
    steps: [
      { line: "POST /initialise", body: all },
      { sample: "50-status-after-restart", respawn: true },
      { sample: "51-initialise-after-restart", body: all },
    ],
  },
  {
    title: "envoy down",
    options: { faults: { envoyDown: true } },
    steps: [
      { line: "POST /initialise", body: all },
      { sample: "52-dcap-envoy-down", client: devicePem },
      { sample: "52-health-envoy-down" },
    ],
  },
  {
    title: "envoy's admin API down",
    options: { faults: { unhealthy: true, initialiseFails: "412" } },
    steps: [{ sample: "53-health-admin-down" }, { sample: "53-init-admin-down", body: all }],
  },
  {
    title: "an aggregator",
    steps: [
      { line: "POST /initialise", body: initialise({ aggregator: aggregatorPem, device: null }) },
      { sample: "60-aggregator-edev", client: aggregatorPem, expected: withOurAggregator },
    ],
  },
  {
    title: "a test that finishes by itself",
    steps: [
      { line: "POST /initialise", body: finishing },
      { line: "GET /dcap", client: deviceLfdi },
      { sample: "80-dcap-finished-410", client: devicePem },
      { sample: "80-proceed-finished-410" },
      { sample: "80-status-finished" },
      { sample: "81-finalize-of-finished" },
    ],
  },
  {
    title: "a step that waits for the word to proceed",
    steps: [{ line: "POST /initialise", body: proceeding }, { sample: "82-proceed-handled" }],
  },
];

/** Recordings that the simulator does not reproduce, and why. */
const leftOut: Record<string, string> = {
  "15-zip-listing": "a list, not an answer; the entries of the zip have a test of their own",
  "26-derc": "no DER programs: their steps never complete",
  "26-derp": "no DER programs: their steps never complete",
  "32-start-ALL-26": "the check der-settings-contents is unknown: 412 too, with another text",
  "72-v1.12.4-status-started": "no DER settings, no timeline, no waiting steps",
  "73-v1.12.4-finalize-playlist-1": "playlists are of older runners",
  "73-v1.12.4-initialise-array": "playlists are of older runners",
  "90-POST-sub_edev": "no subscriptions",
  "90-POST-sub_id1_edev": "no subscriptions",
  "90-POST-sub_id1_edev_1": "no subscriptions",
  "90-POST-subhttps__h_id1_edev": "no subscriptions",
};

test.each(scenarios)("answers as recorded: $title", async ({ options, steps }) => {
  await using simulator = await startSimulator(options);
  for (const step of steps) {
    if (step.respawn) simulator.respawnWorker();
    const sample = step.sample === undefined ? undefined : readSample(step.sample);
    const headers = { ...sample?.requestHeaders, ...(step.client === undefined ? {} : clientHeader(step.client)) };
    const reply = await send(simulator.url, step.line ?? sample?.line ?? "", { headers, body: step.body });
    if (sample !== undefined) compare(step, sample, reply);
  }
});

function compare({ sample: name, begins, expected }: Step, sample: Sample, reply: Reply): void {
  if (begins !== undefined) expect(reply.text).toMatch(new RegExp(`^${begins}.`));
  const body = (expected?.(sample.body) ?? sample.body).slice(0, begins?.length);
  const text = reply.text.slice(0, begins?.length);
  expect(toComparable({ ...reply, text }), name).toEqual(toComparable({ ...sample, body }));
}

test("every recording is compared, or left out for a reason", () => {
  const compared = scenarios.flatMap(({ steps }) => steps.flatMap((step) => step.sample ?? []));
  expect(new Set([...compared, ...Object.keys(leftOut)])).toEqual(new Set(listSamples()));
});

/** Sends again what a recorded status lists. */
function replay(name: string, toTarget: (entry: { url: string; path: string }) => string): Step[] {
  const history: { url: string; path: string; method: string; bodyXmlErrors: string[] }[] = JSON.parse(
    readSample(name).body,
  ).requestHistory;
  return history.map((entry) => ({
    line: `${entry.method} ${toTarget(entry)}`,
    client: deviceLfdi,
    body: entry.bodyXmlErrors.length === 0 ? "" : { PUT: "x", POST: "<x/>" }[entry.method],
  }));
}

function toPlainTarget({ url, path }: { url: string; path: string }): string {
  return `${path}${new URL(url).search}`;
}

/** The URL has the path as it was sent, but for slashes at its ends; where these were, the decoded path shows them. */
function toPrefixedTarget({ url, path }: { url: string; path: string }): string {
  const sent = url.replace(/^http:\/\/[^/]*/, "");
  if (sent.startsWith("/%65nvoy")) return sent;
  return `/envoy${decodeURIComponent(sent.replace(/#.*/, "")) === path ? sent : path}`;
}

/** Envoy has three pages that are none of 2030.5. */
function withoutEnvoysOwnPages(body: string): string {
  return body.replace(/("path": "\/(?:docs|openapi.json|status\/version)", "method": "GET", "status": )200/g, "$1404");
}

function withOurAggregator(body: string): string {
  return body
    .replace(/<lFDI>.*?</, "<lFDI>C39AE00C1C8A3845B733E9CC6769024B3FD55BB3<")
    .replace(/<sFDI>.*?</, "<sFDI>525073123219<");
}
