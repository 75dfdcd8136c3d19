import type { TestProject } from "vitest/node";
import { startTestCluster } from "./cluster.ts";
import { ensureIngressNginx } from "./ingress-nginx.ts";
import { NODE_IMAGE } from "./node-image.ts";
import { ensurePackages } from "./packages.ts";

/** The real cluster of a test run. */
export interface KubernetesUnderTest {
  /** File of the administrator's kubeconfig. */
  kubeconfig: string;
  /** File in which the API server notes each request (a JSON object a line, level Metadata). */
  auditLog: string;
  /** A kubectl of the cluster's own version. */
  kubectl: string;
  /** An image with `node` and a shell, for Pods with `imagePullPolicy: Never`. */
  image: string;
}

declare module "vitest" {
  interface ProvidedContext {
    kubernetes: KubernetesUnderTest;
  }
}

/** Brings the cluster up for a whole test run. Where it cannot, the run fails. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await ensurePackages();
  // What takes minutes on a new machine is not for a test's time limit.
  await ensureIngressNginx();
  const cluster = await startTestCluster();
  const { kubeconfig, auditLog, kubectl } = cluster;
  project.provide("kubernetes", { kubeconfig, auditLog, kubectl, image: NODE_IMAGE });
  return async () => cluster[Symbol.asyncDispose]();
}
