import type { KubernetesListObject, KubernetesObject } from "@kubernetes/client-node";
import type { Cluster } from "./cluster.ts";
import { KindWatch } from "./kind-watch.ts";

export interface NamedWatchOptions<TObject extends KubernetesObject> {
  readonly path: string;
  readonly name: string;
  readonly list: (selector: { fieldSelector: string }) => Promise<KubernetesListObject<TObject>>;
  /** Told of the object whenever it came or changed, and of its absence. */
  readonly onObject: (object: TObject | undefined) => void;
  readonly onError: ((error: unknown) => void) | undefined;
}

/** Watches one object by its name alone, so that a Role can name it too. */
export function watchNamed<TObject extends KubernetesObject>(
  cluster: Cluster,
  { path, name, list, onObject, onError }: NamedWatchOptions<TObject>,
): KindWatch<TObject> {
  const selector = { fieldSelector: `metadata.name=${name}` };
  return new KindWatch<TObject>(cluster, {
    path,
    selector,
    list: () => list(selector),
    onList: ([object]) => onObject(object),
    onChange: (type, object) => onObject(type === "DELETED" ? undefined : object),
    ...(onError && { onError }),
  });
}
