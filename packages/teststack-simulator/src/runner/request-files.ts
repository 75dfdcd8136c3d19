import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Requests and their answers as files. They outlive their test, and the next test's lie beside them. */
export class RequestFiles implements Disposable {
  #folder: string | undefined;
  readonly #isTemporary: boolean;

  /** Without a folder a temporary one is made for the first file, and removed when disposed. */
  constructor(folder: string | undefined) {
    this.#folder = folder;
    this.#isTemporary = folder === undefined;
  }

  /** Writes `NNN-<step>-<path>.request` and `.response`; whatever the names hold, the files are in the folder. */
  write(entry: { id: number; step: string; path: string }, pair: { request: string; response: string }): void {
    const path = entry.path.replace(/^\/+/, "") || "root";
    const full = `${String(entry.id).padStart(3, "0")}-${entry.step}-${path}`;
    const name = full.replace(/[^a-zA-Z0-9._-]/g, "_").slice(0, 200);
    writeFileSync(join(this.#openFolder(), `${name}.request`), pair.request);
    writeFileSync(join(this.#openFolder(), `${name}.response`), pair.response);
  }

  listIds(): number[] {
    const ids = this.#list(".request").map((name) => Number.parseInt(name, 10));
    return [...new Set(ids)].sort((one, other) => one - other);
  }

  /** Reads a pair. Where several tests wrote this id, the first name wins, which need not be the newest test's. */
  find(id: number): { request: string | null; response: string | null } {
    const read = (extension: string): string | null => {
      const start = `${String(id).padStart(3, "0")}-`;
      const name = this.#list(extension).find((candidate) => candidate.startsWith(start));
      return name === undefined ? null : this.#read(name);
    };
    return { request: read(".request"), response: read(".response") };
  }

  readAll(): { name: string; content: string }[] {
    return this.#list("").map((name) => ({ name, content: this.#read(name) }));
  }

  [Symbol.dispose](): void {
    if (this.#isTemporary && this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  #list(extension: string): string[] {
    if (this.#folder === undefined || !existsSync(this.#folder)) return [];
    return readdirSync(this.#folder)
      .filter((name) => /^\d{3,}-.*\.(request|response)$/.test(name) && name.endsWith(extension))
      .sort();
  }

  #read(name: string): string {
    return readFileSync(join(this.#openFolder(), name), "utf8");
  }

  #openFolder(): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), "teststack-simulator-"));
    mkdirSync(this.#folder, { recursive: true });
    return this.#folder;
  }
}
