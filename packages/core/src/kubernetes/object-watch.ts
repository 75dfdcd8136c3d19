import type {
  KubernetesListObject,
  KubernetesObject,
  V1Ingress,
  V1Pod,
  V1Service,
  V1StatefulSet,
} from "@kubernetes/client-node";
import { TESTSTACK_LABEL } from "../teststack/index.ts";
import type { Cluster } from "./cluster.ts";
import { KindWatch } from "./kind-watch.ts";

interface WatchedKinds {
  Pod: V1Pod;
  StatefulSet: V1StatefulSet;
  Service: V1Service;
  Ingress: V1Ingress;
}
type Kind = keyof WatchedKinds;

export interface WatchedObject {
  kind: Kind;
  name: string;
  uid: string;
  createdAt: Date;
  /** It has been deleted and is on its way out. */
  deleting: boolean;
  /** Another object owns it: it goes when that one goes. */
  owned: boolean;
}

export interface ObjectWatchOptions {
  namespace: string;
  labelSelector: string;
  onError?: (error: unknown) => void;
}

/** What the cluster holds of our teststacks, kept up to date by watching; reading it costs no call. */
export interface ObjectWatch extends AsyncDisposable {
  /** Called with the teststack's id whenever one of its objects came, changed or went. */
  onChange: (teststackId: string) => void;
  /** Whether every kind has been listed at least once, so that absence means absence. */
  readonly synced: boolean;
  /** When the API server was last heard of by the quietest of the watches. */
  readonly lastHeardAt: Date | undefined;
  pods(teststackId: string): V1Pod[];
  /** All objects with the teststack's label, of every kind. */
  objects(teststackId: string): WatchedObject[];
  /** Ids of all teststacks of which there is any object. */
  teststackIds(): string[];
  /** Lists again, against events that were missed unnoticed. */
  resync(): Promise<void>;
}

/** Watches the kinds that a teststack is made of. Never gives up: what fails is started again, with growing pauses. */
export function watchObjects(cluster: Cluster, options: ObjectWatchOptions): ObjectWatch {
  const index = new Map<string, Map<string, { kind: Kind; object: KubernetesObject }>>();
  const query = { namespace: options.namespace, labelSelector: options.labelSelector };

  function put(kind: Kind, object: KubernetesObject): void {
    const { id, key } = addressOf(kind, object);
    const known = index.get(id) ?? new Map();
    index.set(id, known.set(key, { kind, object }));
    self.onChange(id);
  }

  function remove(kind: Kind, object: KubernetesObject): void {
    const { id, key } = addressOf(kind, object);
    index.get(id)?.delete(key);
    if (index.get(id)?.size === 0) index.delete(id);
    self.onChange(id);
  }

  function replace(kind: Kind, objects: KubernetesObject[]): void {
    const listed = new Set(objects.map((object) => addressOf(kind, object).key));
    const known = [...index.values()].flatMap((entries) => [...entries]);
    for (const [key, entry] of known) if (entry.kind === kind && !listed.has(key)) remove(kind, entry.object);
    for (const object of objects) put(kind, object);
  }

  function follow<TKind extends Kind>(
    kind: TKind,
    group: string,
    plural: string,
    list: () => Promise<KubernetesListObject<WatchedKinds[TKind]>>,
  ): KindWatch<WatchedKinds[TKind]> {
    return new KindWatch<WatchedKinds[TKind]>(cluster, {
      path: `/${group}/namespaces/${options.namespace}/${plural}`,
      selector: { labelSelector: options.labelSelector },
      list,
      onList: (objects) => replace(kind, objects),
      onChange: (type, object) => (type === "DELETED" ? remove(kind, object) : put(kind, object)),
      ...(options.onError && { onError: options.onError }),
    });
  }

  const watches = [
    follow("Pod", "api/v1", "pods", () => cluster.core.listNamespacedPod(query)),
    follow("Service", "api/v1", "services", () => cluster.core.listNamespacedService(query)),
    follow("StatefulSet", "apis/apps/v1", "statefulsets", () => cluster.apps.listNamespacedStatefulSet(query)),
    follow("Ingress", "apis/networking.k8s.io/v1", "ingresses", () => cluster.networking.listNamespacedIngress(query)),
  ];
  const entriesOf = (teststackId: string) => [...(index.get(teststackId)?.values() ?? [])];

  const self: ObjectWatch = {
    onChange: () => {},
    get synced() {
      return watches.every((watch) => watch.synced);
    },
    get lastHeardAt() {
      const times = watches.map((watch) => watch.lastHeardAt?.getTime());
      return times.includes(undefined) ? undefined : new Date(Math.min(...times.map((time) => time ?? 0)));
    },
    pods: (teststackId) =>
      entriesOf(teststackId).flatMap(({ kind, object }) => (kind === "Pod" ? [object as V1Pod] : [])),
    objects: (teststackId) => entriesOf(teststackId).map(({ kind, object }) => summarise(kind, object)),
    teststackIds: () => [...index.keys()],
    async resync() {
      await Promise.all(watches.map((watch) => watch.resync()));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(watches.map((watch) => watch[Symbol.asyncDispose]()));
    },
  };
  return self;
}

/** The selector asks for the label, so every object has it. The UID is in the key: a name may come again with another. */
function addressOf(kind: Kind, { metadata }: KubernetesObject): { id: string; key: string } {
  return { id: metadata?.labels?.[TESTSTACK_LABEL] ?? "", key: `${kind}/${metadata?.name}/${metadata?.uid}` };
}

function summarise(kind: Kind, { metadata }: KubernetesObject): WatchedObject {
  return {
    kind,
    name: metadata?.name ?? "",
    uid: metadata?.uid ?? "",
    createdAt: new Date(metadata?.creationTimestamp ?? 0),
    deleting: metadata?.deletionTimestamp !== undefined,
    owned: (metadata?.ownerReferences ?? []).length > 0,
  };
}
