import type { Readable } from "node:stream";
import type * as model from "@kubernetes/client-node";

/** A model of the Kubernetes client as it is on the wire: times are RFC 3339 strings. */
export type Wire<TModel> = TModel extends Date
  ? string
  : TModel extends object
    ? { [Field in keyof TModel]: Wire<TModel[Field]> }
    : TModel;

export type ObjectMeta = Wire<model.V1ObjectMeta>;

/** Any Kubernetes object, as JSON on the wire. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** An object of a known kind: the client's model on the wire, with the parts that every stored object has. */
export type Stored<TModel> = Wire<TModel> & KubernetesObject;

export interface ListOptions {
  namespace?: string;
  /** As in `kubectl -l`. */
  labelSelector?: string;
  /** As in `kubectl --field-selector`. */
  fieldSelector?: string;
}

export interface DeleteOptions {
  propagationPolicy?: "Foreground" | "Background" | "Orphan";
  preconditions?: { uid?: string; resourceVersion?: string };
  gracePeriodSeconds?: number;
}

export interface WatchEvent<TObject> {
  type: "ADDED" | "MODIFIED" | "DELETED";
  object: TObject;
}

/** Names one object: the resource's plural name (`pods`, `statefulsets`, `ingresses`, …), namespace ("" when cluster-scoped), name. */
export interface ObjectRef {
  resource: string;
  namespace: string;
  name: string;
}

/**
 * The part of an object that a write is about, when it is not the object itself:
 * `status` (of every kind that has one), `finalize` (a Namespace's `spec.finalizers`), `binding` (a Pod's `spec.nodeName`).
 */
export type Subresource = "status" | "finalize" | "binding";

/**
 * What controllers, node agent and edge know of the cluster: the API server's own operations and nothing beside them,
 * so that each of them would also work against another API server.
 *
 * Objects handed out are frozen and shared: copy before changing (`structuredClone`). Objects handed in are copied.
 * Everything throws `StatusError` with the code and reason that a client of the wire would get (404 NotFound, 409 Conflict, …).
 */
export interface ClusterApi {
  get<TObject = KubernetesObject>(ref: ObjectRef): Promise<TObject>;
  list<TObject = KubernetesObject>(
    resource: string,
    options?: ListOptions,
  ): Promise<{ items: TObject[]; resourceVersion: string }>;
  create<TObject = KubernetesObject>(resource: string, object: object): Promise<TObject>;
  /** Replaces an object; a stale `metadata.resourceVersion` is a 409. `status` replaces the status alone. */
  update<TObject = KubernetesObject>(resource: string, object: object, subresource?: Subresource): Promise<TObject>;
  /** JSON merge patch (RFC 7396). */
  patch<TObject = KubernetesObject>(ref: ObjectRef, patch: object, subresource?: Subresource): Promise<TObject>;
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  /**
   * Reports every object there is as ADDED, then each change in order, until disposed. Never misses and never repeats one.
   * The first report comes after the call has returned.
   */
  watch<TObject = KubernetesObject>(
    resource: string,
    options: ListOptions,
    onEvent: (event: WatchEvent<TObject>) => void,
  ): Disposable;
}

export interface LogOptions {
  container: string;
  previous?: boolean;
  follow?: boolean;
  tailLines?: number;
  limitBytes?: number;
  sinceSeconds?: number;
  timestamps?: boolean;
}

/** What the API server asks of the node agent (a kubelet's own API, in one method). */
export interface NodeApi {
  /** The container's output. @throws {StatusError} 400 BadRequest when the container is not known or has not started */
  openLog(pod: { namespace: string; name: string; uid: string }, options: LogOptions): Promise<Readable>;
}
