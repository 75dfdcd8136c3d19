import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalCluster } from "@cactus/local-cluster";
import { afterAll, beforeAll } from "vitest";
import { describeContract } from "./_contract.ts";
import { openTarget, type Target } from "./_target.ts";

/**
 * The local cluster is judged, or, by `CONTRACT_KUBECONFIG`, another: a real one, say. Its nodes then need an image with
 * `node` in it, by the name in `CONTRACT_IMAGE`.
 */
const { CONTRACT_KUBECONFIG: kubeconfig, CONTRACT_IMAGE: image = "machine" } = process.env;

const stack = new AsyncDisposableStack();
let target: Target;

beforeAll(async () => {
  target = stack.use(await openTarget(kubeconfig ?? (await startLocal()), image));
});
afterAll(() => stack.disposeAsync());

async function startLocal(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "cactus-contract-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const { kubeconfigPath } = stack.use(await startLocalCluster({ dataDir, images: { [image]: "/" } }));
  return kubeconfigPath;
}

describeContract(kubeconfig ?? "the local cluster", () => target);
