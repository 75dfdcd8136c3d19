import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { copyFile, truncate } from "node:fs/promises";
import { join } from "node:path";

const DEFAULT_MAX_BYTES = 16 * 1024 ** 2;

/**
 * One Pod's container output, a file for each instance of a container: `<container>/<restart count>.log`.
 * Processes write to the file themselves, so nothing is lost when the agent is not there.
 */
export class LogFiles {
  readonly #folder: string;
  readonly #maxBytes: number;

  constructor(folder: string, maxBytes = DEFAULT_MAX_BYTES) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  path(container: string, restartCount: number): string {
    return join(this.#folder, container, `${restartCount}.log`);
  }

  /** Opens the file of a new instance while `use` runs; that of the instance before stays, older ones go. */
  open<TResult>(container: string, restartCount: number, use: (descriptor: number) => TResult): TResult {
    const folder = join(this.#folder, container);
    mkdirSync(folder, { recursive: true });
    const kept = [restartCount - 1, restartCount].flatMap((count) => [`${count}.log`, `${count}.log.old`]);
    for (const name of readdirSync(folder)) if (!kept.includes(name)) rmSync(join(folder, name), { force: true });
    const descriptor = openSync(this.path(container, restartCount), "a");
    try {
      return use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  /** The last bytes of an instance's output, as text. */
  tail(container: string, restartCount: number, maxBytes: number): string {
    const file = this.path(container, restartCount);
    return existsSync(file) ? readFileSync(file).subarray(-maxBytes).toString("utf8") : "";
  }

  /**
   * Keeps a file that has grown too large as `….log.old` and empties it. Its process goes on writing at the new end,
   * since it appends; what it writes between the two steps is lost.
   */
  async limit(container: string, restartCount: number): Promise<void> {
    const file = this.path(container, restartCount);
    const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes <= this.#maxBytes) return;
    await copyFile(file, `${file}.old`);
    await truncate(file);
  }
}
