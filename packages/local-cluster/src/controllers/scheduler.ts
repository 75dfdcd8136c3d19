import type * as model from "@kubernetes/client-node";
import type { ClusterApi, Stored } from "../cluster-api.ts";
import { type Controller, type ControllerDeps, find, formatKey, parseKey } from "./controller.ts";
import type { EventRecorder } from "./event-recorder.ts";
import type { WorkQueue } from "./work-queue.ts";

type Pod = Stored<model.V1Pod>;
type Node = Stored<model.V1Node>;

const SCHEDULER = "default-scheduler";

const UNBOUND = { fieldSelector: `spec.nodeName=,spec.schedulerName=${SCHEDULER}` };

/** Binds each Pod that has no node to the first that is ready. */
export class Scheduler implements Controller {
  readonly name = "scheduler";
  readonly #cluster: ClusterApi;
  readonly #events: EventRecorder;

  constructor({ cluster, recorder }: ControllerDeps) {
    this.#cluster = cluster;
    this.#events = recorder(SCHEDULER);
  }

  watch(queue: WorkQueue): Disposable[] {
    const add = ({ metadata: { namespace = "", name = "" } }: Pod): void =>
      queue.add(formatKey({ resource: "pods", namespace, name }));
    const addAll = async (): Promise<void> => {
      for (const pod of (await this.#cluster.list<Pod>("pods", UNBOUND)).items) add(pod);
    };
    return [
      this.#cluster.watch<Pod>("pods", UNBOUND, ({ type, object }) => type !== "DELETED" && add(object)),
      this.#cluster.watch<Node>("nodes", {}, () => void addAll()),
    ];
  }

  async work(key: string): Promise<void> {
    const ref = parseKey(key);
    const pod = await find<Pod>(this.#cluster, ref);
    if (pod === undefined || pod.spec?.nodeName || pod.metadata.deletionTimestamp !== undefined) return;
    const { items } = await this.#cluster.list<Node>("nodes");
    const nodeName = items.find(isReady)?.metadata.name;
    if (nodeName === undefined) return;
    await this.#cluster.patch(ref, { spec: { nodeName } }, "binding");
    const message = `Successfully assigned ${ref.namespace}/${ref.name} to ${nodeName}`;
    await this.#events.record(pod, { type: "Normal", reason: "Scheduled", message });
  }
}

function isReady({ spec, status }: Node): boolean {
  return (
    !spec?.unschedulable && (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True")
  );
}
