import { installIngressNginx, type KubernetesUnderTest } from "@cactus/test-cluster";
import { afterAll, beforeAll, describe, inject } from "vitest";
import { connectCluster } from "../../src/kubernetes/index.ts";
import { describeClosure } from "./_closure.ts";
import type { EdgeUnderTest } from "./_host.ts";
import { describePaths } from "./_paths.ts";
import { describeVerification } from "./_verification.ts";

const kubernetes: KubernetesUnderTest = inject("kubernetes");
const stack = new AsyncDisposableStack();
let edge: EdgeUnderTest;

beforeAll(async () => {
  stack.use(await installIngressNginx(kubernetes));
  const cluster = stack.use(connectCluster({ kubeconfig: kubernetes.kubeconfig, timeoutSeconds: 30 }));
  const service = { namespace: "ingress-nginx", name: "ingress-nginx-controller" };
  const { spec } = await cluster.core.readNamespacedService(service);
  edge = {
    ...{ cluster, image: kubernetes.image, address: { host: spec?.clusterIP ?? "", port: 443 } },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}, 300_000);
afterAll(() => stack.disposeAsync());

describe("ingress-nginx", () => {
  describeVerification(() => edge);
  describePaths(() => edge);
  describeClosure(() => edge);
});
