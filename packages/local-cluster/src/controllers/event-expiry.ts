import type * as model from "@kubernetes/client-node";
import type { Stored } from "../cluster-api.ts";
import { type ControllerDeps, undefinedIfGone } from "./controller.ts";

const LIFETIME_MS = 3_600_000;
const CHECK_EVERY_MS = 60_000;

/** Removes Events that are an hour old, as the API server's store does by itself. */
export function startEventExpiry(deps: ControllerDeps): Disposable {
  const timer = setInterval(() => {
    removeOldEvents(deps).catch((error: unknown) => deps.logger.warn({ error }, "old Events were not removed"));
  }, CHECK_EVERY_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

export async function removeOldEvents({ cluster, now }: Pick<ControllerDeps, "cluster" | "now">): Promise<void> {
  const oldest = now().getTime() - LIFETIME_MS;
  const { items } = await cluster.list<Stored<model.CoreV1Event>>("events");
  for (const { metadata, lastTimestamp } of items) {
    if (Date.parse(lastTimestamp ?? metadata.creationTimestamp ?? "") > oldest) continue;
    const { namespace = "", name = "" } = metadata;
    await cluster.delete({ resource: "events", namespace, name }).catch(undefinedIfGone);
  }
}
