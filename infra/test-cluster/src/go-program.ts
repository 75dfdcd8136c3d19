import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";
import { ensureGo } from "./go.ts";
import { places } from "./places.ts";

export interface GoProgram {
  /** Folder of this package with the Go module, and whatever else decides what is built. */
  folder: string;
  /** Of the module, or of one that it requires. */
  package: string;
  /** For the linker. */
  flags: string;
  /** Name of the binary. */
  name: string;
  /** Adds what belongs beside the binary. */
  finish?: (folder: string, go: string) => Promise<void>;
}

/**
 * Builds a program, unless that was done before from the same sources. Gives its folder, which is in the cache: minutes
 * the first time, then nothing.
 */
export async function ensureGoProgram({ finish, ...program }: GoProgram): Promise<string> {
  const module = moduleFolder(program.folder);
  const folder = join(places.cache, await hashOfInputs(module, program.flags));
  if (existsSync(folder)) return folder;
  const draft = join(places.cache, `building-${program.name}-${process.pid}`);
  await mkdir(draft, { recursive: true });
  const go = await ensureGo();
  const options = ["-trimpath", "-buildvcs=false", "-ldflags", program.flags, "-o", join(draft, program.name)];
  await command("env", "CGO_ENABLED=0", "nice", go, "build", "-C", module, ...options, program.package);
  await finish?.(draft, go);
  await rename(draft, folder);
  return folder;
}

export function moduleFolder(name: string): string {
  return new URL(`../${name}`, import.meta.url).pathname;
}

async function hashOfInputs(module: string, flags: string): Promise<string> {
  const hash = createHash("sha256").update(flags).update(process.arch);
  const files = (await readdir(module, { withFileTypes: true })).filter((entry) => entry.isFile());
  for (const file of files.map(({ name }) => name).sort()) hash.update(file).update(await readFile(join(module, file)));
  return hash.digest("hex").slice(0, 16);
}
