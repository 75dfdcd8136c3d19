import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterApi } from "../src/cluster-api.ts";
import { createInProcessApi } from "../src/registry/in-process-api.ts";
import { Registry } from "../src/registry/registry.ts";
import { Store } from "../src/store/store.ts";

export interface RegistryFixture extends Disposable {
  api: ClusterApi;
  registry: Registry;
  /** The database's file. */
  file: string;
}

/** A registry with the namespace `default`, on a file of its own that goes with it. */
export function openRegistry(options: { now?: () => Date; historyLimit?: number } = {}): RegistryFixture {
  const folder = mkdtempSync(join(tmpdir(), "cactus-registry-"));
  const file = join(folder, "cluster.db");
  const store = new Store(file, options.historyLimit);
  const registry = new Registry(store, options.now);
  registry.createBuiltInNamespaces();
  return {
    api: createInProcessApi(registry),
    registry,
    file,
    [Symbol.dispose]() {
      store[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
