import type { KubernetesObject } from "../cluster-api.ts";

/** Which objects name which owners, by the owners' uids. */
export class OwnerGraph {
  readonly #dependents = new Map<string, Set<string>>();
  readonly #owners = new Map<string, string[]>();

  /** Notes whom an object names as its owners now. */
  set(key: string, { metadata }: KubernetesObject): void {
    this.delete(key);
    const uids = (metadata.ownerReferences ?? []).map(({ uid }) => uid);
    if (uids.length === 0) return;
    this.#owners.set(key, uids);
    for (const uid of uids) {
      const keys = this.#dependents.get(uid) ?? new Set();
      this.#dependents.set(uid, keys.add(key));
    }
  }

  delete(key: string): void {
    for (const uid of this.#owners.get(key) ?? []) {
      const keys = this.#dependents.get(uid);
      keys?.delete(key);
      if (keys?.size === 0) this.#dependents.delete(uid);
    }
    this.#owners.delete(key);
  }

  /** Keys of the objects that name this owner. */
  dependentsOf(uid: string | undefined): string[] {
    return [...(this.#dependents.get(uid ?? "") ?? [])];
  }
}
