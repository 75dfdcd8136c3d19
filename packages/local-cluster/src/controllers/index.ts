import type { ClusterApi } from "../cluster-api.ts";
import type { Logger } from "../logger.ts";
import { type ControllerDeps, runController } from "./controller.ts";
import { EndpointSliceController } from "./endpoint-slice-controller.ts";
import { startEventExpiry } from "./event-expiry.ts";
import { EventRecorder } from "./event-recorder.ts";
import { GarbageCollector } from "./garbage-collector.ts";
import { NamespaceController } from "./namespace-controller.ts";
import { Scheduler } from "./scheduler.ts";
import { StatefulSetController } from "./stateful-set-controller.ts";

const controllers = [Scheduler, StatefulSetController, EndpointSliceController, GarbageCollector, NamespaceController];

export interface ControllersOptions {
  cluster: ClusterApi;
  logger: Logger;
  now?: () => Date;
}

/** Starts all that moves the cluster by itself, but for the node agent. */
export function startControllers({ cluster, logger, now = () => new Date() }: ControllersOptions): AsyncDisposable {
  const recorder = (component: string): EventRecorder => new EventRecorder({ cluster, now, logger }, component);
  const deps: ControllerDeps = { cluster, recorder, now, logger };
  const stack = new AsyncDisposableStack();
  stack.use(startEventExpiry(deps));
  for (const Kind of controllers) stack.use(runController(new Kind(deps), logger));
  return stack;
}
