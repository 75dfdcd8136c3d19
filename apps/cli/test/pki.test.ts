import { afterAll, beforeAll, expect, test } from "vitest";
import { type OperatorsCluster, startOperatorsCluster } from "./_cluster.ts";

let operator: OperatorsCluster;
beforeAll(async () => {
  operator = await startOperatorsCluster();
});
afterAll(() => operator[Symbol.asyncDispose]());

const FQDN = ["--fqdn", "cactus.example.com"];
const pki = (...args: string[]) => operator.cactus("pki", ...args, ...FQDN);

async function patch(name: string, data: Record<string, string | null>): Promise<void> {
  const namespace = name === "tls-ca-cert-key-pair" ? "test-orchestration" : "test-execution";
  const secret = await operator.client.core.readNamespacedSecret({ namespace, name });
  const files = Object.entries({ ...secret.data, ...data }).filter(([, text]) => text !== null);
  const body = { ...secret, data: Object.fromEntries(files) as Record<string, string> };
  await operator.client.core.replaceNamespacedSecret({ namespace, name, body });
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("from nothing to a rotated CA; each command twice, and no key is ever shown", async () => {
  const outputs: string[] = [];
  async function expectOutcome(args: string[], code: number, text: string): Promise<string> {
    const { code: actual, output } = await pki(...args);
    expect([args, actual, output]).toEqual([args, code, expect.stringContaining(text)]);
    outputs.push(output);
    return output;
  }
  await expectOutcome(["status"], 1, "problem: The Secret does not exist.");
  await expectOutcome(["rotate-server"], 1, "does not exist: cactus pki bootstrap makes it");
  await expectOutcome(
    ["bootstrap", "--ip", "127.0.0.1", "::1"],
    0,
    "made the signing CA in Secret test-orchestration/",
  );
  await expectOutcome(["bootstrap"], 0, "Everything is there: nothing was changed.");
  const status = await expectOutcome(["status"], 0, "tls-server-certificate: what the edge shows to clients");
  expect(status).toMatch(/CN=cactus\.example\.com {2}\d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d {2}39[67] days left/);
  expect(status).toMatch(/CN=IEEE 2030\.5 Root, .* days left/);
  await expectOutcome(["rotate-server"], 0, "new certificate and key");
  await expectOutcome(["rotate-ca", "--finish"], 0, "No rotation overlaps: nothing was changed.");
  await expectOutcome(["rotate-ca"], 0, "A new CA signs from now on.");
  await expectOutcome(["rotate-ca"], 0, "A rotation overlaps already: nothing was changed.");
  await expectOutcome(["status"], 0, "previous    test-orchestration/tls-ca-cert-key-pair: is being replaced");
  await expectOutcome(["rotate-ca", "--finish"], 0, "The old CA is gone");
  await expectOutcome(["status"], 0, "authority");
  const keys = await Promise.all([
    operator.files("test-orchestration", "tls-ca-cert-key-pair"),
    operator.files("test-execution", "tls-server-certificate"),
  ]);
  for (const { "tls.key": key = "" } of keys) expect(outputs.join("")).not.toContain(key.split("\n")[1]);
  expect(outputs.join("")).not.toContain("PRIVATE KEY");
});

test("status tells what is wrong, and says so by its exit code", async () => {
  await pki("bootstrap");
  const wrongs: [string, Record<string, string | null>, string][] = [
    ["tls-ca-certificate", { "ca.crt": null }, "ca.crt is missing"],
    ["tls-ca-certificate", { "ca.crt": base64("garbage") }, "the edge lets nobody in"],
    ["tls-ca-cert-key-pair", { "tls.key": base64("garbage") }, "exactly one private key"],
    ["tls-ca-cert-key-pair", { "tls.crt": base64("garbage") }, "BEGIN CERTIFICATE"],
    ["tls-server-certificate", { "tls.crt": base64("garbage") }, "no certificate that can be read"],
    ["tls-server-certificate", { "tls.key": base64("garbage") }, "tls.key is not the key of tls.crt"],
  ];
  for (const [secret, change, problem] of wrongs) {
    const namespace = secret === "tls-ca-cert-key-pair" ? "test-orchestration" : "test-execution";
    const { data = {} } = await operator.client.core.readNamespacedSecret({ namespace, name: secret });
    await patch(secret, change);
    const { code, output } = await pki("status");
    expect([secret, change, code, output]).toEqual([secret, change, 1, expect.stringContaining(problem)]);
    await patch(secret, data);
  }
  const { code, output } = await operator.cactus("pki", "status", "--fqdn", "elsewhere.example.com");
  expect([code, output]).toEqual([1, expect.stringContaining("It does not cover elsewhere.example.com")]);
  expect((await pki("status")).code).toBe(0);
});

test("the base Ingress names the host and the server's Secret; a server that cert-manager makes is left to it", async () => {
  const namespace = "test-execution";
  expect((await operator.cactus("pki", "status")).output).toContain("give --fqdn, or set TEST_EXECUTION_FQDN");
  const metadata = {
    name: "test-execution-ingress",
    annotations: { "cert-manager.io/cluster-issuer": "letsencrypt" },
  };
  const tls = [{ hosts: ["public.example.com"], secretName: "made-by-cert-manager" }];
  const spec = { tls, defaultBackend: { service: { name: "x", port: { number: 80 } } } };
  await operator.client.networking.createNamespacedIngress({ namespace, body: { metadata, spec } });
  const { code, output } = await operator.cactus("pki", "bootstrap");
  expect([code, output]).toEqual([0, expect.stringContaining("nothing was changed")]);
  const status = await operator.cactus("pki", "status");
  expect(status).toEqual({ code: 1, output: expect.stringContaining("made-by-cert-manager") });
});

test("the Ingress of the API names the hosts and the Secret of its certificate; status tells of it, and it can be rotated", async () => {
  const namespace = "test-orchestration";
  const { networking, core } = operator.client;
  const tls = [{ hosts: ["api.example.com"], secretName: "tls-api-certificate" }];
  const spec = { tls, defaultBackend: { service: { name: "x", port: { number: 80 } } } };
  await networking.createNamespacedIngress({ namespace, body: { metadata: { name: "orchestrator" }, spec } });
  const read = async () => (await operator.files(namespace, "tls-api-certificate"))["tls.key"];
  const { output } = await pki("bootstrap");
  expect(output).toContain("made the API's certificate in Secret test-orchestration/tls-api-certificate");
  const status = await pki("status");
  expect(status.output).toMatch(
    /api {9}test-orchestration\/tls-api-certificate: .*\n {2}CN=api\.example\.com .* days left/,
  );
  const key = await read();
  expect((await pki("rotate-server", "--api")).output).toContain("The API has a new certificate and key");
  expect(await read()).not.toBe(key);

  await core.deleteNamespacedSecret({ namespace, name: "tls-api-certificate" });
  const annotations = { "cert-manager.io/issuer": "letsencrypt" };
  const body = { metadata: { name: "orchestrator", annotations }, spec };
  await networking.replaceNamespacedIngress({ namespace, name: "orchestrator", body });
  expect((await pki("bootstrap")).output).toContain("nothing was changed");
  await networking.deleteNamespacedIngress({ namespace, name: "orchestrator" });
});

test("without a kubeconfig it is the cluster that runs on this machine", async () => {
  const { server } = operator.client;
  const { output } = await operator.cactusOfLaptop("pki", "status", ...FQDN);
  expect(output.split("\n")[0]).toBe(`cluster ${server}`);
});

test("what cannot be reached is said in a line", async () => {
  const { code, output } = await pki("status", "--kubeconfig", "/nowhere");
  expect([code, output]).toEqual([1, expect.stringContaining("/nowhere")]);
  expect(output).not.toMatch(/\bat .*\.ts:\d+/);
});

test("the certificates of the traffic between Pods come with --encryption, once; status tells of them from then on", async () => {
  expect((await pki("bootstrap")).output).not.toContain("internal");
  expect((await pki("status")).output).not.toContain("internal");
  const { output, code } = await pki("bootstrap", "--encryption", "--edge", "f5");
  expect([code, output]).toEqual([0, expect.stringContaining("Secret test-orchestration/teststack-internal-ca")]);
  expect(output).toContain("Secret test-execution/teststack-edge-client\n");
  expect(output).toContain("Secret test-execution/teststack-edge-client-ca");
  expect((await pki("bootstrap", "--encryption", "--edge", "f5")).output).toContain("nothing was changed");
  const status = await pki("status");
  expect(status.output).toMatch(/internal {4}test-orchestration\/teststack-internal-ca: signs .*\n.*365\d days left/);
  expect(status.output).toMatch(/edge-client test-execution\/teststack-edge-client: what the edge shows/);
  expect(output + status.output).not.toContain("PRIVATE KEY");
  await operator.client.core.deleteNamespacedSecret({
    namespace: "test-orchestration",
    name: "teststack-internal-ca",
  });
  expect(await pki("status")).toMatchObject({
    code: 1,
    output: expect.stringContaining("problem: The Secret does not exist: cactus pki bootstrap --encryption makes it."),
  });
  await pki("bootstrap", "--encryption");
  expect((await pki("status")).output).not.toContain("problem: It is not the internal CA's");
});
