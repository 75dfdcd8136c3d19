import { deleteObject } from "@cactus/core/kubernetes";
import type { StepContext } from "../step-context.ts";

/** Deletes what nothing owns, and with it all that it owns: one write. Without that, what is left one by one. */
export async function deleteObjects({ deps, teststack, commit }: StepContext): Promise<void> {
  const objects = deps.watch.objects(teststack.id).filter((object) => !object.deleting);
  const owners = objects.filter((object) => !object.owned);
  const namespace = deps.config.TEST_EXECUTION_NAMESPACE;
  for (const object of owners.length > 0 ? owners : objects) {
    await deleteObject(deps.cluster, { namespace, ...object });
  }
  await commit({ events: [{ kind: "deleting", message: "Removing the teststack.", detail: {} }] });
}
