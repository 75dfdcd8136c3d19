import type { V1StatefulSet } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestInstallation, type TestInstallation } from "./_installation.ts";
import { withTemplate } from "./_template.ts";

const SOON = { timeout: 20_000 };
let installation: TestInstallation;

/** Why `runs.create` is refused; undefined when it is not. */
async function refusal(): Promise<string | undefined> {
  const { user } = installation;
  const { certificateId } = await user.issue();
  const { status, error, data } = await user.call("runs.create", { procedureId: "ALL-01", certificateId });
  if (error === undefined) {
    const { runId } = data as { runId: string };
    await user.ask("runs.finalise", { runId });
    await user.untilGone(runId);
    return undefined;
  }
  expect([status, error.reason]).toEqual([503, "unavailable"]);
  return error.message;
}

async function describeTeststacks(): Promise<string> {
  const details = await (await fetch(`${installation.orchestrator.url}/readyz`)).json();
  return (details as { teststacks: string }).teststacks;
}

async function expectProblem(problem: string): Promise<void> {
  const { url } = installation.orchestrator;
  await expect.poll(describeTeststacks, SOON).toContain(problem);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^cactus_template_problems 1$/m);
  expect(await refusal()).toContain(problem);
  expect(await installation.listObjects()).toEqual([]);
}

async function expectMended(): Promise<void> {
  const { url } = installation.orchestrator;
  await expect.poll(describeTeststacks, SOON).toBe("ok");
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^cactus_template_problems 0$/m);
  expect(await refusal()).toBeUndefined();
}

const eachContainer =
  (change: (container: { name: string; image?: string }) => void) =>
  ({ spec }: V1StatefulSet): void =>
    spec?.template.spec?.containers.forEach(change);

describe("a cloned template", () => {
  beforeAll(async () => {
    installation = await startTestInstallation();
  });
  afterAll(() => installation[Symbol.asyncDispose]());

  test("that lacks its main container is told in words, and picked up when it is mended", async () => {
    const rename = eachContainer((container) => {
      container.name = "other";
    });
    await withTemplate(installation, rename, () =>
      expectProblem("StatefulSet teststack-templates/envoy-set has no container named envoy."),
    );
    await expectMended();
  });

  test("that is not there is told by its name", async () => {
    const { core } = installation.cluster.client;
    const place = { namespace: "teststack-templates", name: "envoy-svc" };
    const service = await core.readNamespacedService(place);
    await core.deleteNamespacedService(place);
    await expectProblem("Service teststack-templates/envoy-svc does not exist.");
    const { name, namespace } = place;
    const { ports, selector } = service.spec ?? {};
    await core.createNamespacedService({
      namespace,
      body: { metadata: { name }, spec: { ...(ports && { ports }), ...(selector && { selector }) } },
    });
    await expectMended();
  });

  test("a base Ingress that does not verify clients opens no route", async () => {
    const { networking } = installation.cluster.client;
    const place = { namespace: "test-execution", name: "test-execution-ingress" };
    const verification = "nginx.ingress.kubernetes.io/auth-tls-verify-client";
    const patch = (value: string) =>
      networking.patchNamespacedIngress({
        ...place,
        body: [{ op: "replace", path: `/metadata/annotations/${verification.replace("/", "~1")}`, value }],
      });
    await patch("optional");
    await expectProblem(`Ingress test-execution/test-execution-ingress does not have ${verification}: "on".`);
    await patch("on");
    await expectMended();
  });
});

describe("a generated template", () => {
  beforeAll(async () => {
    installation = await startTestInstallation({ TESTSTACK_SOURCE: "generated" });
  });
  afterAll(() => installation[Symbol.asyncDispose]());
  const place = { namespace: "teststack-templates", name: "teststack" };

  async function replaceSpec(change: (text: string) => string): Promise<() => Promise<unknown>> {
    const { core } = installation.cluster.client;
    const original = (await core.readNamespacedConfigMap(place)).data?.["teststack.yaml"] ?? "";
    const write = (text: string) =>
      core.patchNamespacedConfigMap({
        ...place,
        body: [{ op: "replace", path: "/data/teststack.yaml", value: text }],
      });
    await write(change(original));
    return () => write(original);
  }

  test.each<[string, string, (text: string) => string]>([
    ["a field that does not exist", "containers[0].imagee", (text) => text.replace("image:", "imagee:")],
    ["no YAML", "teststack.yaml", () => "a: [1,"],
    [
      "what the cluster does not take",
      "the cluster does not take the StatefulSet: spec.template.spec.containers[0].volumeMounts[0].subPath is not valid.",
      (text) => text.replace("mountPath: /tmp", "mountPath: /tmp\n        subPath: ../etc"),
    ],
  ])("with %s is told in words, and picked up when it is mended", async (_, problem, change) => {
    const restore = await replaceSpec(change);
    await expectProblem(problem);
    await restore();
    await expectMended();
  });

  test("that has no version for a procedure refuses runs of it alone", async () => {
    const restore = await replaceSpec((text) => text.replaceAll("v1.2", "v9.9"));
    await expect.poll(refusal, SOON).toMatch(/has no version v1\.\d/);
    await restore();
    await expectMended();
  });
});
