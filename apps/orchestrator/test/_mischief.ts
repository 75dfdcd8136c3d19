import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { NODE_IMAGE } from "@cactus/test-cluster";
import { AdmissionregistrationV1Api, type V1ObjectMeta } from "@kubernetes/client-node";
import { expect } from "vitest";
import type { Deployment } from "./_deployment.ts";

const NAMESPACE = "test-execution";
const TESTSTACK = "cactus-orchestrator/teststack";

/** Every object of any teststack. */
export async function listObjects({ cluster }: Deployment, labelSelector = TESTSTACK): Promise<string[]> {
  const query = { namespace: NAMESPACE, labelSelector };
  const lists = await Promise.all([
    cluster.apps.listNamespacedStatefulSet(query),
    cluster.core.listNamespacedPod(query),
    cluster.core.listNamespacedService(query),
    cluster.networking.listNamespacedIngress(query),
  ]);
  return lists.flatMap(({ kind, items }) => items.map(({ metadata }) => `${kind} ${metadata?.name}`));
}

/** Leaves one object of each kind but the owner, labelled as a teststack's that no run has, and owned by nothing. */
export async function leaveOrphans({ cluster }: Deployment): Promise<string> {
  const [example] = (await cluster.apps.listNamespacedStatefulSet({ namespace: NAMESPACE })).items;
  const id = randomUUID();
  const metadata: V1ObjectMeta = { name: "orphan", labels: { ...example?.metadata?.labels, [TESTSTACK]: id } };
  const container = { name: "c", image: NODE_IMAGE, imagePullPolicy: "Never", command: ["sleep", "1000"] };
  const backend = { service: { name: "orphan", port: { number: 80 } } };
  const namespace = NAMESPACE;
  await Promise.all([
    cluster.core.createNamespacedPod({ namespace, body: { metadata, spec: { containers: [container] } } }),
    cluster.core.createNamespacedService({ namespace, body: { metadata, spec: { ports: [{ port: 80 }] } } }),
    cluster.networking.createNamespacedIngress({ namespace, body: { metadata, spec: { defaultBackend: backend } } }),
  ]);
  return `${TESTSTACK}=${id}`;
}

/** Kills the process of a Pod's only container; the machine sees it among its own, with the Pod's name as its host's. */
export async function killContainer(pod: string): Promise<void> {
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(`HOSTNAME=${pod}`)) process.kill(Number(pid), "SIGKILL");
  }
}

export interface Refusal extends AsyncDisposable {
  /** Makes the Service that was refused, as an answer that was lost on its way would have left it. */
  makeServiceOf(teststack: string): Promise<void>;
}

/** Lets the API server refuse every new Service of an account, until disposed. */
export async function refuseServices({ cluster, kubectl }: Deployment, account: string): Promise<Refusal> {
  const api = cluster.config.makeApiClient(AdmissionregistrationV1Api);
  const name = "refuse-services";
  const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["services"] };
  await api.createValidatingAdmissionPolicy({
    body: {
      metadata: { name },
      spec: {
        matchConstraints: { resourceRules: [rule] },
        validations: [{ expression: `request.userInfo.username != "${account}"` }],
      },
    },
  });
  await api.createValidatingAdmissionPolicyBinding({
    body: { metadata: { name }, spec: { policyName: name, validationActions: ["Deny"] } },
  });
  const tryOne = () =>
    kubectl("create", "service", "clusterip", "try", "--tcp=80", "-n", NAMESPACE, "--dry-run=server", "--as", account);
  await expect
    .poll(
      () =>
        tryOne().then(
          () => "made",
          (error: unknown) => String(error),
        ),
      { timeout: 30_000 },
    )
    .toContain(name);
  return {
    async makeServiceOf(teststack) {
      const { metadata } = await cluster.apps.readNamespacedStatefulSet({ namespace: NAMESPACE, name: teststack });
      const { labels } = metadata ?? {};
      const selector = { [TESTSTACK]: labels?.[TESTSTACK] ?? "" };
      const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: teststack, uid: metadata?.uid ?? "" };
      const spec = { selector, ports: [{ name: "http", port: 80, targetPort: 8080 }] };
      const body = { metadata: { name: teststack, ...(labels && { labels }), ownerReferences: [owner] }, spec };
      await cluster.core.createNamespacedService({ namespace: NAMESPACE, body });
    },
    async [Symbol.asyncDispose]() {
      await api.deleteValidatingAdmissionPolicyBinding({ name });
      await api.deleteValidatingAdmissionPolicy({ name });
      await expect.poll(() => tryOne().then(() => "made", String), { timeout: 30_000 }).toBe("made");
    },
  };
}
