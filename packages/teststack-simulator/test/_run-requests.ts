import { readFileSync } from "node:fs";
import { computeLfdi } from "../src/runner/client-certificate.ts";

/** The very request that the recordings were made with: the runner echoed it in one of its answers. */
const echo = readFileSync(new URL("./runner-samples/04-init-missing-key.txt", import.meta.url), "utf8");
const recorded = {
  ...JSON.parse(/Input JSON: (.*)\n/.exec(echo)?.[1] ?? ""),
  test_user: { user_id: "5", name: "tester" },
};

export type RunRequestBody = typeof recorded;

export const recordedYaml: string = recorded.test_definition.yaml_definition;
export const devicePem: string = recorded.run_group.test_certificates.device;
export const deviceLfdi = computeLfdi(devicePem);

export const aggregatorPem = `-----BEGIN CERTIFICATE-----
MIIBnzCCAUWgAwIBAgIUahFqM1a8Ot51F71HfT0q7F76RPgwCgYIKoZIzj0EAwIw
JDEiMCAGA1UEAwwZc2ltdWxhdG9yIHRlc3QgYWdncmVnYXRvcjAgFw0yNjExMjMx
MTE1MDhaGA8yMTI2MTAzMDExMTUwOFowJDEiMCAGA1UEAwwZc2ltdWxhdG9yIHRl
c3QgYWdncmVnYXRvcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIoO07JRvF6e
DNDKz41kkPwSVWqg6+b9pEw5AKJRnGHt5zsq6sFmfjSR9MrnZnWhLzb0aSXgJr29
hJrsTAOC5yujUzBRMB0GA1UdDgQWBBQf2X9lsuZDAg6yMIWAk6d04zwQvTAfBgNV
HSMEGDAWgBQf2X9lsuZDAg6yMIWAk6d04zwQvTAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0gAMEUCIHBLqtunqy2xT4AhqWpDx7oaGmj0Rl7sxLbEY5J7J9/9
AiEAtN1pUQwCgx3vkWb7QKwB78Ar15vpV40ARbORzwwhK2w=
-----END CERTIFICATE-----
`;
/** As computed by openssl and sha256sum. */
export const aggregatorLfdi = "c39ae00c1c8a3845b733e9cc6769024b3fd55bb3";

/** Builds the body of `POST /initialise`; the client is the recorded device unless said otherwise. */
export function buildRunRequest(
  options: {
    procedureId?: string;
    yaml?: string;
    version?: string;
    aggregator?: string | null;
    device?: string | null;
  } = {},
): RunRequestBody {
  const {
    procedureId = "ALL-01",
    yaml = recordedYaml,
    version = "v1.2",
    aggregator = null,
    device = devicePem,
  } = options;
  return {
    ...recorded,
    test_definition: { test_procedure_id: procedureId, yaml_definition: yaml },
    run_group: { ...recorded.run_group, csip_aus_version: version, test_certificates: { aggregator, device } },
  };
}

/** The header that the edge sends for a client. */
export function clientHeader(certificate: string): { "ssl-client-cert": string } {
  return { "ssl-client-cert": encodeURIComponent(certificate) };
}

/** A procedure of our own, with steps in a line: each is enabled when the one before it happens. */
export function buildYaml(options: {
  preconditions?: string;
  steps: readonly { name: string; type: string; endpoint?: string; extra?: string }[];
}): string {
  const steps = options.steps.map(({ name, type, endpoint, extra = "" }, at) => {
    const next = options.steps[at + 1]?.name;
    const enable = next === undefined ? "" : `      - {type: enable-steps, parameters: {steps: [${next}]}}\n`;
    const parameters = endpoint === undefined ? "{}" : `{endpoint: ${endpoint}}`;
    const actions = `${enable}${extra}      - {type: remove-steps, parameters: {steps: [${name}]}}\n`;
    return `  ${name}:\n    event: {type: ${type}, parameters: ${parameters}}\n    actions:\n${actions}`;
  });
  const head = "Description: a test\nCategory: Tests\nClasses: [A]\nTargetVersions: [v1.2]\n";
  const criteria = "Criteria: {checks: [{type: all-steps-complete, parameters: {}}]}\n";
  return `${head}${options.preconditions ?? ""}${criteria}Steps:\n${steps.join("")}`;
}
