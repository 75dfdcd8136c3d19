import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInternalPki } from "@cactus/core/kubernetes";
import { type Capture, captureTraffic, loadNginxImage } from "@cactus/test-cluster";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { type Deployment, startDeployment } from "./_deployment.ts";
import { type DeploymentUser, type LiveRun, openUser, untilServed } from "./_deployment-user.ts";

/** The main job twice, without encryption and with, while all that passes the node's network is recorded. */

const KUBERNETES = fileURLToPath(new URL("../../../infra/kubernetes", import.meta.url));
const LONG = 240_000;
vi.setConfig({ testTimeout: LONG });

const EXECUTION = { namespace: "test-execution" };
/** What plain HTTP of runner and device would show. */
const PLAIN = /HTTP\/1\.[01]|GET \/|POST \/|<DeviceCapability/;

let deployment: Deployment;
let user: DeploymentUser;
let capture: Capture;
const began = new Date();
beforeAll(async () => {
  deployment = await startDeployment();
  user = await openUser(deployment, "tester");
  await untilServed(user);
  capture = await captureTraffic();
}, 2 * LONG);
afterAll(async () => {
  await capture?.[Symbol.asyncDispose]();
  await user?.[Symbol.asyncDispose]();
  await deployment?.[Symbol.asyncDispose]();
}, LONG);

test("without encryption, what Pods say to an instance can be read on the way", async () => {
  const live = await runJob();
  const traffic = await readTraffic(live);
  expect(traffic).toMatch(/GET \/status HTTP\/1\.1|POST \/initialise HTTP\/1\.1|GET \/health HTTP\/1\.1/);
  expect(traffic).toContain(`GET /${nameOf(live)}-SUCCESS/dcap HTTP/1.1`);
  expect(traffic).toContain("<DeviceCapability");
  await endJob(live);
});

test("with it, nothing of the whole job can be read, from request to result; and nothing is left", async () => {
  await encrypt();
  const live = await runJob();
  expect(await listSecrets()).toEqual([nameOf(live)]);
  const traffic = await readTraffic(live);
  expect(traffic).toContain(".8443: Flags");
  expect(traffic).not.toMatch(PLAIN);
  await endJob(live);
  expect(await readTraffic(live)).not.toMatch(PLAIN);
  expect(await listSecrets()).toEqual([]);
});

test("an instance that stands in another's place is spoken to neither by the edge nor by the orchestrator", async () => {
  const [live, other] = await Promise.all([runJob(), runJob()]);
  const lead = (to: LiveRun): Promise<string> => {
    const patch = { spec: { selector: { "cactus-orchestrator/teststack": labels.get(nameOf(to)) } } };
    return deployment.kubectl("-n", EXECUTION.namespace, "patch", "service", nameOf(live), "-p", JSON.stringify(patch));
  };
  const askRunner = () => user.client.runs.status.query({ runId: live.run.runId }).then(() => "answered", String);
  expect(await askRunner()).toBe("answered");
  await lead(other);
  // By TLS; on a connection that the edge has kept from the other's own clients, by the other's prefix.
  await expect
    .poll(() => user.visit(live), { timeout: 20_000 })
    .toSatisfy((status) => status === 502 || status === 404);
  await expect.poll(askRunner, { timeout: 20_000 }).toContain("The runner does not answer.");
  await lead(live);
  await expect.poll(() => user.visit(live), { timeout: 20_000 }).toBe(200);
  await expect.poll(askRunner, { timeout: 20_000 }).toBe("answered");
  await Promise.all([endJob(live), endJob(other)]);
});

test("the orchestrator may do what it does, and has used what the component grants it beside", async () => {
  const requests = (await deployment.listRequests()).filter(({ receivedAt }) => receivedAt >= began);
  expect(requests.filter(({ isForbidden }) => isForbidden)).toEqual([]);
  const used = new Set(requests.map(({ verb, place }) => `${verb} ${place}`));
  expect([...used]).toEqual(expect.arrayContaining(["create test-execution//secrets", "list test-execution//secrets"]));
});

/** Of each instance's Pod, by the instance's name. */
const addresses = new Map<string, string>();
const labels = new Map<string, string>();

/** From a request to an answer that the device has got. */
async function runJob(): Promise<LiveRun> {
  const live = await user.untilLive(await user.create());
  await expect.poll(() => user.visit(live), { timeout: 20_000 }).toBe(200);
  const { items } = await deployment.cluster.core.listNamespacedPod({
    ...EXECUTION,
    labelSelector: `app=${nameOf(live)}`,
  });
  addresses.set(nameOf(live), items[0]?.status?.podIP ?? "");
  labels.set(nameOf(live), items[0]?.metadata?.labels?.["cactus-orchestrator/teststack"] ?? "");
  return live;
}

async function endJob({ run: { runId } }: LiveRun): Promise<void> {
  await user.client.runs.finalise.mutate({ runId });
  expect(await user.untilGone(runId)).toMatchObject({ status: "finalised", artifact: { kind: "complete" } });
}

/** What other Pods and an instance's Pod have sent to each other; the kubelet's probes come from the node itself. */
async function readTraffic(live: LiveRun): Promise<string> {
  const filter = `host ${addresses.get(nameOf(live))} and src net 10.244.0.0/24 and dst net 10.244.0.0/24 and not host 10.244.0.1`;
  const traffic = await capture.read(filter);
  expect(traffic).toContain("Flags");
  return traffic;
}

function nameOf({ run }: LiveRun): string {
  return new URL(run.testUrl ?? "").pathname.split("/")[1] ?? "";
}

async function listSecrets(): Promise<(string | undefined)[]> {
  const labelSelector = "cactus-orchestrator/teststack";
  const { items } = await deployment.cluster.core.listNamespacedSecret({ ...EXECUTION, labelSelector });
  return items.map(({ metadata }) => metadata?.name);
}

/** As an operator does it: certificates, the component in the overlay, and the new Deployment rolled out. */
async function encrypt(): Promise<void> {
  await ensureInternalPki(deployment.cluster, {
    names: { internalCaSecret: "teststack-internal-ca", edgeClientSecret: "teststack-edge-client" },
    namespaces: { orchestration: "test-orchestration", execution: "test-execution" },
    ...{ edge: "ingress-nginx", now: new Date() },
  });
  const folder = await mkdtemp(join(tmpdir(), "encrypted-overlay-"));
  const overlay = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [relative(folder, join(KUBERNETES, "overlays/test"))],
    components: [relative(folder, join(KUBERNETES, "components/encrypted-teststacks"))],
    configMapGenerator: [
      {
        ...{ name: "orchestrator-settings", namespace: "test-orchestration", behavior: "merge" },
        literals: [`TESTSTACK_ENCRYPTION_IMAGE=${await loadNginxImage()}`],
      },
    ],
  };
  try {
    await writeFile(join(folder, "kustomization.yaml"), stringify(overlay));
    await deployment.kubectl("apply", "-k", folder);
  } finally {
    await rm(folder, { recursive: true });
  }
  const orchestration = { namespace: "test-orchestration" };
  await deployment.kubectl(
    "rollout",
    "status",
    "deployment/orchestrator",
    "-n",
    orchestration.namespace,
    "--timeout=120s",
  );
  // A replica that is on its way out still makes them as it was told to.
  await expect
    .poll(
      async () => {
        const { items } = await deployment.cluster.core.listNamespacedPod({
          ...orchestration,
          labelSelector: "app.kubernetes.io/name=orchestrator",
        });
        return items.length;
      },
      { timeout: 60_000 },
    )
    .toBe(2);
  await untilServed(user);
}
