import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Procedure, parseProcedure } from "@cactus/core/runner";
import type { Logger } from "./log.ts";

/** The test procedures of a mounted folder. */
export interface ProcedureStore {
  list(): Promise<Procedure[]>;
  find(procedureId: string): Promise<Procedure | undefined>;
}

interface Entry {
  /** Changes with the file's content. */
  stamp: string;
  procedure: Procedure | undefined;
}

/**
 * Reads procedures as they are in the folder now: a file that was added, changed or removed is seen at the next call.
 * A broken one is left out, and the log says why, once per change of the file; the others are not touched by it.
 */
export function openProcedures(directory: string, logger: Logger): ProcedureStore {
  const known = new Map<string, Entry>();

  async function read(file: string): Promise<Procedure | undefined> {
    const path = join(directory, file);
    const { mtimeMs, size, ino } = await stat(path);
    const stamp = `${ino}/${size}/${mtimeMs}`;
    const entry = known.get(file);
    if (entry?.stamp === stamp) return entry.procedure;
    const procedure = await parseFile(path, logger);
    known.set(file, { stamp, procedure });
    return procedure;
  }

  async function list(): Promise<Procedure[]> {
    const files = (await readdir(directory)).filter((file) => file.endsWith(".yaml")).sort();
    const procedures = await Promise.all(files.map(read));
    return procedures.filter((procedure) => procedure !== undefined);
  }

  return {
    list,
    find: async (procedureId) => (await list()).find((procedure) => procedure.id === procedureId),
  };
}

async function parseFile(path: string, logger: Logger): Promise<Procedure | undefined> {
  try {
    return parseProcedure(basename(path, ".yaml"), await readFile(path, "utf8"));
  } catch (error) {
    logger.warn({ path, err: error }, "a test procedure cannot be read and is left out");
    return undefined;
  }
}
