import { deleteObject } from "@cactus/core/kubernetes";
import type { StepContext } from "../step-context.ts";

/** Deletes the owner, and with it all that it owns: one write. Without an owner, what is left one by one. */
export async function deleteObjects({ deps, teststack, commit }: StepContext): Promise<void> {
  const objects = deps.watch.objects(teststack.id).filter((object) => !object.deleting);
  const owner = objects.find((object) => object.kind === "StatefulSet");
  const namespace = deps.config.TEST_EXECUTION_NAMESPACE;
  for (const object of owner === undefined ? objects : [owner]) {
    await deleteObject(deps.cluster, { namespace, ...object });
  }
  await commit({ events: [{ kind: "deleting", message: "Removing the teststack.", detail: {} }] });
}
