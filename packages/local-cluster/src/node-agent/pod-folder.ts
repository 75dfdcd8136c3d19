import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a node keeps of one Pod on disk: volumes, logs, and whether its containers have been begun with. */
export class PodFolder {
  readonly path: string;
  readonly volumes: string;
  readonly logs: string;
  readonly #mark: string;

  constructor(pods: string, uid: string) {
    this.path = join(pods, uid);
    this.volumes = join(this.path, "volumes");
    this.logs = join(this.path, "logs");
    this.#mark = join(this.path, "begun");
  }

  /** Whether the Pod's containers were begun with, and not all ended on purpose since. */
  get isBegun(): boolean {
    return existsSync(this.#mark);
  }

  markBegun(): void {
    mkdirSync(this.path, { recursive: true });
    writeFileSync(this.#mark, "");
  }

  markEnded(): void {
    rmSync(this.#mark, { force: true });
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
