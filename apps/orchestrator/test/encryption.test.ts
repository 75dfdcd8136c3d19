import { ensureInternalPki } from "@cactus/core/kubernetes";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestInstallation, type TestInstallation } from "./_installation.ts";

/** What comes of TESTSTACK_ENCRYPTION=sidecar, as far as it goes without the sidecar's image. */

const SOON = { timeout: 20_000 };
const EXECUTION = { namespace: "test-execution", labelSelector: "cactus-orchestrator/teststack" };
const ABSENT = "The Secret does not exist: cactus pki bootstrap --encryption makes it.";

let installation: TestInstallation;
beforeAll(async () => {
  installation = await startTestInstallation({ TESTSTACK_ENCRYPTION: "sidecar", TESTSTACK_ACCESS: "service" });
});
afterAll(() => installation[Symbol.asyncDispose]());

const readyz = async () =>
  (await (await fetch(`${installation.orchestrator.url}/readyz`)).json()) as Record<string, string>;

async function bootstrap(): Promise<void> {
  await ensureInternalPki(installation.cluster.client, {
    names: { internalCaSecret: "teststack-internal-ca", edgeClientSecret: "teststack-edge-client" },
    namespaces: { orchestration: "test-orchestration", execution: "test-execution" },
    ...{ edge: "ingress-nginx", now: new Date() },
  });
}

test("without its certificates no instance is made, and it is told why; with them one is, and takes its Secret along", async () => {
  const { user, cluster } = installation;
  const { core, networking } = cluster.client;
  const { certificateId } = await user.issue();
  const create = () => user.call("runs.create", { procedureId: "ALL-01", certificateId });
  await expect.poll(async () => (await readyz())["teststacks"], SOON).toContain(`internal: ${ABSENT}`);
  expect((await readyz())["certificates"]).toContain(`edge-client: ${ABSENT}`);
  expect((await create()).error).toMatchObject({
    reason: "unavailable",
    message: `Encrypted teststacks cannot be used now: internal: ${ABSENT}`,
  });

  await bootstrap();
  await expect.poll(readyz, SOON).toMatchObject({ teststacks: "ok", certificates: "ok" });
  const metrics = await (await fetch(`${installation.orchestrator.url}/metrics`)).text();
  expect(metrics).toMatch(/^cactus_certificate_expiry_days\{certificate="internal"\} 365\d$/m);
  const { runId } = (await create()).data as { runId: string };
  await expect.poll(async () => (await user.story(runId)).map(({ kind }) => kind), SOON).toContain("created");
  const { items: secrets } = await core.listNamespacedSecret(EXECUTION);
  const { items: services } = await core.listNamespacedService(EXECUTION);
  const { items: routes } = await networking.listNamespacedIngress(EXECUTION);
  const name = secrets[0]?.metadata?.name ?? "";
  expect(secrets).toMatchObject([
    { type: "kubernetes.io/tls", metadata: { ownerReferences: [{ kind: "StatefulSet", name }] } },
  ]);
  expect(services).toMatchObject([{ metadata: { name }, spec: { ports: [{ port: 80, targetPort: 8443 }] } }]);
  expect(routes[0]?.metadata?.annotations).toMatchObject({
    "nginx.ingress.kubernetes.io/proxy-ssl-name": `${name}.test-execution.svc`,
  });
  await user.ask("runs.delete", { runId });
  await expect.poll(async () => (await core.listNamespacedSecret(EXECUTION)).items.length, SOON).toBe(0);
});
