import type { ClusterApi } from "../cluster-api.ts";
import { fitsLabels } from "../store/selectors.ts";
import { type Controller, type ControllerDeps, find, formatKey, parseKey, undefinedIfGone } from "./controller.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { availableIn, buildPod, buildStatus, ownerReference } from "./stateful-set-objects.ts";
import { type Pod, planSteps, podName, revisionOf, type StatefulSet, type Step } from "./stateful-set-plan.ts";
import type { WorkQueue } from "./work-queue.ts";

/** Keeps as many Pods as each StatefulSet asks for, each of its present template. */
export class StatefulSetController implements Controller {
  readonly name = "statefulset";
  readonly #cluster: ClusterApi;
  readonly #events: EventRecorder;
  readonly #now: () => Date;
  #queue: WorkQueue | undefined;

  constructor({ cluster, recorder, now }: ControllerDeps) {
    this.#cluster = cluster;
    this.#events = recorder("statefulset-controller");
    this.#now = now;
  }

  watch(queue: WorkQueue): Disposable[] {
    this.#queue = queue;
    const add = (namespace = "", name = ""): void =>
      queue.add(formatKey({ resource: "statefulsets", namespace, name }));
    return [
      this.#cluster.watch<StatefulSet>("statefulsets", {}, ({ object: { metadata } }) =>
        add(metadata.namespace, metadata.name),
      ),
      this.#cluster.watch<Pod>("pods", {}, ({ object: { metadata } }) => {
        const owner = metadata.ownerReferences?.find(({ controller, kind }) => controller && kind === "StatefulSet");
        // One that nobody controls may be adopted.
        add(metadata.namespace, owner?.name ?? setNameOf(metadata.name));
      }),
    ];
  }

  async work(key: string): Promise<void> {
    const ref = parseKey(key);
    const set = await find<StatefulSet>(this.#cluster, ref);
    if (set === undefined || set.metadata.deletionTimestamp !== undefined) return;
    const revision = revisionOf(set);
    const pods = await this.#ownPods(set);
    const status = buildStatus(set, pods, revision, this.#now());
    await this.#cluster.patch(ref, { metadata: { uid: set.metadata.uid }, status }, "status");
    this.#lookAgainWhenAvailable(key, set, pods);
    for (const step of planSteps(set, pods, revision)) await this.#perform(set, step, revision);
  }

  /** The Pods that a set controls; those of its name and labels that nobody controls become its own. */
  async #ownPods(set: StatefulSet): Promise<Pod[]> {
    const { namespace = "", name, uid } = set.metadata;
    const { items } = await this.#cluster.list<Pod>("pods", { namespace });
    const controllerOf = (pod: Pod): string | undefined =>
      pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
    const own = items.filter((pod) => controllerOf(pod) === uid);
    for (const pod of items) {
      const isStray = controllerOf(pod) === undefined && pod.metadata.deletionTimestamp === undefined;
      const isMeant =
        setNameOf(pod.metadata.name) === name && fitsLabels(set.spec?.selector ?? {}, pod.metadata.labels);
      if (isStray && isMeant) own.push(await this.#adopt(set, pod));
    }
    return own;
  }

  #adopt(set: StatefulSet, { metadata }: Pod): Promise<Pod> {
    const { namespace = "", name = "", uid, ownerReferences = [] } = metadata;
    const patch = { metadata: { uid, ownerReferences: [...ownerReferences, ownerReference(set)] } };
    return this.#cluster.patch<Pod>({ resource: "pods", namespace, name }, patch);
  }

  async #perform(set: StatefulSet, step: Step, revision: string): Promise<void> {
    const name = step.action === "create" ? podName(set, step.ordinal) : step.pod.metadata.name;
    const reason = step.action === "create" ? "Create" : "Delete";
    const subject = `${reason} Pod ${name} in StatefulSet ${set.metadata.name}`;
    try {
      if (step.action === "create") await this.#cluster.create("pods", buildPod(set, step.ordinal, revision));
      else await this.#deletePod(set, step.pod, step.recreate ?? false);
    } catch (error) {
      const message = `${subject} failed error: ${error instanceof Error ? error.message : String(error)}`;
      await this.#events.record(set, { type: "Warning", reason: `Failed${reason}`, message });
      throw error;
    }
    await this.#events.record(set, { type: "Normal", reason: `Successful${reason}`, message: `${subject} successful` });
  }

  async #deletePod(set: StatefulSet, pod: Pod, recreate: boolean): Promise<void> {
    const { namespace = "", name = "", uid = "" } = pod.metadata;
    if (recreate) {
      const message = `StatefulSet ${namespace}/${set.metadata.name} is recreating failed Pod ${name}`;
      await this.#events.record(set, { type: "Warning", reason: "RecreatingFailedPod", message });
    }
    const ref = { resource: "pods", namespace, name };
    await this.#cluster.delete(ref, { preconditions: { uid } }).catch(undefinedIfGone);
  }

  #lookAgainWhenAvailable(key: string, set: StatefulSet, pods: readonly Pod[]): void {
    const waits = pods.map((pod) => availableIn(pod, set.spec?.minReadySeconds ?? 0, this.#now()));
    const next = Math.min(...waits.filter((wait) => wait > 0));
    if (Number.isFinite(next)) this.#queue?.addLater(key, next);
  }
}

/** The name of the set that a Pod's name says it is of. */
function setNameOf(podName = ""): string {
  return podName.replace(/-\d+$/, "");
}
