import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalCluster } from "@cactus/local-cluster";
import { afterAll, beforeAll } from "vitest";
import { describeContract } from "./_contract.ts";
import { openTarget, type Target } from "./_target.ts";

const IMAGE = "machine";
const stack = new AsyncDisposableStack();
let target: Target;

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "cactus-contract-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const { kubeconfigPath } = stack.use(await startLocalCluster({ dataDir, images: { [IMAGE]: "/" } }));
  target = stack.use(await openTarget(kubeconfigPath, IMAGE));
});
afterAll(() => stack.disposeAsync());

describeContract("the local cluster", () => target);
