import type { KubernetesObject, WatchEvent } from "../cluster-api.ts";
import { deepFreeze } from "../json.ts";
import type { Resource } from "../resources/resource.ts";
import { everything, type Selector } from "../store/selectors.ts";
import type { Store, StoreEvent } from "../store/store.ts";

export interface Scope {
  /** All namespaces when left out or empty. */
  namespace?: string | undefined;
  /** All objects when left out. */
  selector?: Selector | undefined;
}

/** Combines namespace and selector. */
export function inScope({ namespace, selector = everything }: Scope): Selector {
  return (object) => (!namespace || object.metadata.namespace === namespace) && selector(object);
}

/**
 * Reports the changes after a version, in order, then those to come, until disposed; without a version, first the objects
 * there are, as ADDED. Calls back within the write: the callback must not write itself.
 *
 * @throws {StatusError} 410 Expired when changes after that version are no longer known
 */
export function watchStore(
  store: Store,
  resource: Resource,
  scope: Scope & { since?: number | undefined },
  onEvent: (event: WatchEvent<KubernetesObject>) => void,
): Disposable {
  const fits = inScope(scope);
  const report = (change: StoreEvent): void => {
    const event = eventFor(change, fits);
    if (event !== undefined) onEvent(event);
  };
  if (scope.since === undefined) {
    for (const object of store.list(resource.plural)) if (fits(object)) onEvent({ type: "ADDED", object });
  } else {
    for (const change of store.eventsSince(resource.plural, scope.since)) report(change);
  }
  return store.listen(resource.plural, report);
}

/** What a change means to one watch: an object that no longer fits its selector is DELETED for it. */
function eventFor(change: StoreEvent, fits: Selector): WatchEvent<KubernetesObject> | undefined {
  const { object, previous, deleted } = change;
  const did = previous !== undefined && fits(previous);
  if (deleted) return did ? { type: "DELETED", object } : undefined;
  const does = fits(object);
  if (does) return { type: did ? "MODIFIED" : "ADDED", object };
  if (!did) return undefined;
  const metadata = { ...previous.metadata, resourceVersion: object.metadata.resourceVersion ?? "" };
  return { type: "DELETED", object: deepFreeze({ ...previous, metadata }) };
}
