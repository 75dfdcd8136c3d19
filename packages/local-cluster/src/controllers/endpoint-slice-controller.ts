import { isDeepStrictEqual } from "node:util";
import type * as model from "@kubernetes/client-node";
import type { ClusterApi, ObjectRef, Stored } from "../cluster-api.ts";
import { fitsLabels } from "../store/selectors.ts";
import { type Controller, type ControllerDeps, find, formatKey, parseKey, undefinedIfGone } from "./controller.ts";
import {
  buildSlice,
  type EndpointSlice,
  planSlices,
  SERVICE_LABEL,
  type Service,
  type SliceContent,
} from "./endpoint-slices.ts";
import type { WorkQueue } from "./work-queue.ts";

type Pod = Stored<model.V1Pod>;
type Labels = Record<string, string>;

/** Keeps, for each Service that selects Pods, EndpointSlices that say where they are reached and which are ready. */
export class EndpointSliceController implements Controller {
  readonly name = "endpointslice";
  readonly #cluster: ClusterApi;
  readonly #services = new Map<string, Service>();
  /** Of each Pod, by uid: those that it loses matter as those that it gets. */
  readonly #labels = new Map<string, Labels>();

  constructor({ cluster }: ControllerDeps) {
    this.#cluster = cluster;
  }

  watch(queue: WorkQueue): Disposable[] {
    return [
      this.#cluster.watch<Service>("services", {}, ({ type, object }) => {
        const key = formatKey({ ...refOf(object), resource: "services" });
        if (type === "DELETED") this.#services.delete(key);
        else this.#services.set(key, object);
        queue.add(key);
      }),
      this.#cluster.watch<Pod>("pods", {}, ({ type, object: { metadata } }) => {
        const { uid = "", labels = {}, namespace = "" } = metadata;
        const before = this.#labels.get(uid) ?? {};
        if (type === "DELETED") this.#labels.delete(uid);
        else this.#labels.set(uid, labels);
        for (const key of this.#servicesOf(namespace, [before, labels])) queue.add(key);
      }),
    ];
  }

  async work(key: string): Promise<void> {
    const ref = parseKey(key);
    const service = await find<Service>(this.#cluster, ref);
    const matchLabels = service?.spec?.selector;
    if (service === undefined || matchLabels === undefined || service.metadata.deletionTimestamp !== undefined) return;
    const { items } = await this.#cluster.list<Pod>("pods", { namespace: ref.namespace });
    const pods = items.filter(({ metadata }) => fitsLabels({ matchLabels }, metadata.labels));
    await this.#apply(service, planSlices(service, pods));
  }

  /** Keys of the Services in a namespace that select one of some labels. */
  #servicesOf(namespace: string, labels: readonly Labels[]): string[] {
    return [...this.#services].flatMap(([key, { metadata, spec }]) => {
      const matchLabels = metadata.namespace === namespace ? spec?.selector : undefined;
      return matchLabels && labels.some((each) => fitsLabels({ matchLabels }, each)) ? [key] : [];
    });
  }

  /** Brings the slices there are to what they have to hold: unchanged ones stay as they are. */
  async #apply(service: Service, wanted: readonly SliceContent[]): Promise<void> {
    const { namespace = "", name } = service.metadata;
    const ofService = { namespace, labelSelector: `${SERVICE_LABEL}=${name}` };
    const { items } = await this.#cluster.list<EndpointSlice>("endpointslices", ofService);
    const left = [...items];
    for (const content of wanted) {
      const same = left.findIndex(({ ports }) => isDeepStrictEqual(ports, content.ports));
      const [slice] = left.splice(Math.max(same, 0), 1);
      if (slice === undefined) await this.#cluster.create("endpointslices", buildSlice(service, content));
      else await this.#cluster.patch(refOf(slice), { ...content });
    }
    for (const slice of left) await this.#cluster.delete(refOf(slice)).catch(undefinedIfGone);
  }
}

function refOf({ metadata: { namespace = "", name = "" } }: Service | EndpointSlice): ObjectRef {
  return { resource: "endpointslices", namespace, name };
}
