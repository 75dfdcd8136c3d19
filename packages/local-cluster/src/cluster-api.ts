import type { Readable } from "node:stream";
import type { V1ObjectMeta } from "@kubernetes/client-node";

/** Any Kubernetes object, as JSON on the wire. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: V1ObjectMeta;
  [field: string]: unknown;
}

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
 * What controllers, node agent and edge know of the cluster: the API server's own operations and nothing beside them,
 * so that each of them would also work against another API server.
 *
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
  update<TObject = KubernetesObject>(resource: string, object: object, subresource?: "status"): Promise<TObject>;
  /** JSON merge patch (RFC 7396). */
  patch<TObject = KubernetesObject>(ref: ObjectRef, patch: object, subresource?: "status"): Promise<TObject>;
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  /** Reports every object there is as ADDED, then each change in order, until disposed. Never misses and never repeats one. */
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
