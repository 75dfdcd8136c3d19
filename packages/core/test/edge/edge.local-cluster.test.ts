import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalCluster } from "@cactus/local-cluster";
import { afterAll, beforeAll, describe } from "vitest";
import { connectCluster } from "../../src/kubernetes/index.ts";
import { describeClosure } from "./_closure.ts";
import type { EdgeUnderTest } from "./_host.ts";
import { describePaths } from "./_paths.ts";
import { describeVerification } from "./_verification.ts";

const IMAGE = "machine";
const stack = new AsyncDisposableStack();
let edge: EdgeUnderTest;

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "cactus-edge-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const local = stack.use(await startLocalCluster({ dataDir, images: { [IMAGE]: "/" } }));
  const cluster = stack.use(connectCluster({ kubeconfig: local.kubeconfigPath }));
  const { hostname: host, port } = new URL(local.edgeUrl);
  edge = {
    ...{ cluster, image: IMAGE, address: { host, port: Number(port) } },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
});
afterAll(() => stack.disposeAsync());

describe("the local cluster's edge", () => {
  describeVerification(() => edge);
  describePaths(() => edge);
  describeClosure(() => edge);
});
