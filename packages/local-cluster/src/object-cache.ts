import type { ClusterApi, KubernetesObject, ListOptions } from "./cluster-api.ts";

/** All objects of one resource that options select, as the cluster has them now. */
export class ObjectCache<TObject extends KubernetesObject> implements Disposable {
  readonly #objects = new Map<string, TObject>();
  readonly #watch: Disposable;
  /** Called after each change. */
  onChange: (object: TObject, type: "ADDED" | "MODIFIED" | "DELETED") => void = () => undefined;

  private constructor(cluster: ClusterApi, resource: string, options: ListOptions) {
    this.#watch = cluster.watch<TObject>(resource, options, ({ type, object }) => {
      if (type === "DELETED") this.#objects.delete(keyOf(object.metadata));
      else this.#objects.set(keyOf(object.metadata), object);
      this.onChange(object, type);
    });
  }

  /** Watches a resource; returns when all that the cluster has at this time has been reported. */
  static async open<TObject extends KubernetesObject>(
    cluster: ClusterApi,
    resource: string,
    options: ListOptions = {},
  ): Promise<ObjectCache<TObject>> {
    const cache = new ObjectCache<TObject>(cluster, resource, options);
    const seen = new Set<string>();
    cache.onChange = ({ metadata }) => seen.add(keyOf(metadata));
    const { items } = await cluster.list<TObject>(resource, options);
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (items.every(({ metadata }) => seen.has(keyOf(metadata)))) resolve();
      };
      cache.onChange = ({ metadata }) => {
        seen.add(keyOf(metadata));
        check();
      };
      check();
    });
    cache.onChange = () => undefined;
    return cache;
  }

  find(namespace: string, name: string): TObject | undefined {
    return this.#objects.get(keyOf({ namespace, name }));
  }

  values(): TObject[] {
    return [...this.#objects.values()];
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

function keyOf({ namespace = "", name = "" }: { namespace?: string; name?: string }): string {
  return `${namespace}/${name}`;
}
