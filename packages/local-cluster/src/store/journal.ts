import { createRequire } from "node:module";
import type { DatabaseSync, StatementSync } from "node:sqlite";

export interface JournalRow {
  resource: string;
  key: string;
  text: string;
}

/** Versions are reserved this many at a time, so that a write costs one statement and a restart jumps over all handed out. */
const RESERVED = 1000;

/** The first version is of before anything: what is asked for since then is too old to be known. */
const SCHEMA = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS object (resource TEXT, key TEXT, text TEXT NOT NULL, PRIMARY KEY (resource, key)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS reserved (version INTEGER NOT NULL);
  INSERT INTO reserved SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM reserved);
`;

/**
 * The file that keeps the objects: each write is in it before anyone is told of it, and a killed process loses none
 * (only a machine that loses its power may lose the last moments).
 */
export class Journal implements Disposable {
  readonly #database: DatabaseSync;
  readonly #write: StatementSync;
  readonly #erase: StatementSync;
  readonly #reserve: StatementSync;
  #version: number;
  #reservedTo: number;

  /** @throws {Error} when another process has the file open */
  constructor(file: string) {
    this.#database = openDatabase(file);
    try {
      this.#database.exec(SCHEMA);
    } catch (cause) {
      throw new Error(`${file} cannot be used (is another cluster running on it?): ${String(cause)}`, { cause });
    }
    this.#write = this.#database.prepare("INSERT OR REPLACE INTO object VALUES (?, ?, ?)");
    this.#erase = this.#database.prepare("DELETE FROM object WHERE resource = ? AND key = ?");
    this.#reserve = this.#database.prepare("UPDATE reserved SET version = ?");
    this.#version = Number(this.#database.prepare("SELECT version FROM reserved").get()?.["version"]) + 1;
    this.#reservedTo = this.#version - 1;
  }

  /** The newest version handed out. Higher than any that an earlier process on this file handed out. */
  get version(): number {
    return this.#version;
  }

  /** A version that nobody was given before, in this process or an earlier one. */
  nextVersion(): number {
    this.#version += 1;
    if (this.#version > this.#reservedTo) {
      this.#reservedTo = this.#version + RESERVED;
      this.#reserve.run(this.#reservedTo);
    }
    return this.#version;
  }

  rows(): JournalRow[] {
    const rows = this.#database.prepare("SELECT resource, key, text FROM object ORDER BY resource, key").all();
    return rows.map((row) => ({
      resource: String(row["resource"]),
      key: String(row["key"]),
      text: String(row["text"]),
    }));
  }

  write(row: JournalRow): void {
    this.#write.run(row.resource, row.key, row.text);
  }

  erase(resource: string, key: string): void {
    this.#erase.run(resource, key);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** Opens SQLite without the warning that Node 24 prints once for each process that loads it. */
function openDatabase(file: string): DatabaseSync {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    const sqlite: typeof import("node:sqlite") = createRequire(import.meta.url)("node:sqlite");
    return new sqlite.DatabaseSync(file);
  } finally {
    process.emitWarning = emitWarning;
  }
}
