import type { ClusterApi, KubernetesObject, ObjectRef, WatchEvent } from "../cluster-api.ts";
import type { Logger } from "../logger.ts";
import { resources } from "../resources/table.ts";
import { StatusError } from "../status-error.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { WorkQueue } from "./work-queue.ts";

export interface ControllerDeps {
  cluster: ClusterApi;
  /** Writes Events in the name of a component. */
  recorder: (component: string) => EventRecorder;
  now: () => Date;
  logger: Logger;
}

/** A loop that moves the cluster toward what some objects ask for: watches that name keys, and the work for a key. */
export interface Controller {
  readonly name: string;
  /** Starts to add keys to the queue. */
  watch(queue: WorkQueue): Disposable[];
  /** Moves what a key names one step on, or says by an error that it has to be tried again. */
  work(key: string): Promise<void>;
}

export function runController(controller: Controller, logger: Logger): AsyncDisposable {
  const queue = new WorkQueue(controller.name, (key) => controller.work(key), logger);
  const watches = controller.watch(queue);
  return {
    async [Symbol.asyncDispose]() {
      for (const watch of watches) watch[Symbol.dispose]();
      await queue[Symbol.asyncDispose]();
    },
  };
}

/** Watches every kind of object there is. */
export function watchEverything(
  cluster: ClusterApi,
  onEvent: (ref: ObjectRef, event: WatchEvent<KubernetesObject>) => void,
): Disposable[] {
  return resources.map(({ plural: resource }) =>
    cluster.watch<KubernetesObject>(resource, {}, (event) => {
      const { namespace = "", name = "" } = event.object.metadata;
      onEvent({ resource, namespace, name }, event);
    }),
  );
}

export function formatKey({ resource, namespace, name }: ObjectRef): string {
  return `${resource}/${namespace}/${name}`;
}

export function parseKey(key: string): ObjectRef {
  const [resource = "", namespace = "", name = ""] = key.split("/");
  return { resource, namespace, name };
}

export async function find<TObject extends KubernetesObject>(
  cluster: ClusterApi,
  ref: ObjectRef,
): Promise<TObject | undefined> {
  return cluster.get<TObject>(ref).catch(undefinedIfGone);
}

/** For a `catch`: what is gone already is as good as deleted. */
export function undefinedIfGone(error: unknown): undefined {
  if (!(error instanceof StatusError && error.code === 404)) throw error;
}
