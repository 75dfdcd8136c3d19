import { describe } from "vitest";
import { describeDeletion } from "./_deletion.ts";
import { describeDiscovery } from "./_discovery.ts";
import { describeLists } from "./_lists.ts";
import { describePatches } from "./_patches.ts";
import { describePermissions } from "./_permissions.ts";
import { describeRefusals } from "./_refusals.ts";
import type { Target } from "./_target.ts";
import { describeWatches } from "./_watches.ts";
import { describeWorkloads } from "./_workloads.ts";
import { describeWrites } from "./_writes.ts";

/** What we rely on in a Kubernetes API server, as tests: the same for the real one and for the local cluster. */
export function describeContract(name: string, target: () => Target): void {
  describe(name, () => {
    describeDiscovery(target);
    describeWrites(target);
    describeRefusals(target);
    describePermissions(target);
    describePatches(target);
    describeLists(target);
    describeWatches(target);
    describeDeletion(target);
    describeWorkloads(target);
  });
}
