import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Makes the package's declarations stand alone: the API's types, which the server's build has written, are copied into
 * `dist/contract` with all that they name, and imports lead there. Fails when they name anything of the server's insides.
 */
const home = fileURLToPath(new URL("..", import.meta.url));
const dist = join(home, "dist");
const contractFolder = join(dist, "contract");
const ENTRY = "@cactus/orchestrator/contract";

/** Declarations of workspace packages that the contract may name. */
const WORKSPACE: Record<string, string> = {
  [ENTRY]: resolve(home, "../../apps/orchestrator/dist/contract.d.ts"),
  "@cactus/core": resolve(home, "../core/dist/index.d.ts"),
};
const MAY_STAY = /^@trpc\/(client|server)(\/|$)|^eventsource$/;
const SPECIFIER = /(from |import\()"([^"]+)"/g;

const names = new Map<string, string>();

/** Copies a declaration file and what it names. Returns its new name, without ending. */
function copy(file: string): string {
  const known = names.get(file);
  if (known !== undefined) return known;
  const name = `${names.size}-${basename(file, ".d.ts")}`;
  names.set(file, name);
  const text = rewrite(readFileSync(file, "utf8"), file, ".");
  writeFileSync(join(contractFolder, `${name}.d.ts`), text);
  return name;
}

function rewrite(text: string, file: string, toContract: string): string {
  return text.replace(SPECIFIER, (_, before: string, specifier: string) => {
    const target = locate(specifier, file);
    return `${before}"${target === undefined ? specifier : `${toContract}/${copy(target)}.js`}"`;
  });
}

/** The declaration file that an import leads to; undefined when the import may stay as it is. */
function locate(specifier: string, file: string): string | undefined {
  if (specifier.startsWith(".")) return resolve(dirname(file), specifier.replace(/\.[jt]s$/, ".d.ts"));
  const workspaceFile = WORKSPACE[specifier];
  if (workspaceFile === undefined && !MAY_STAY.test(specifier)) {
    throw new Error(`${file} names ${specifier}: the API's types must not reach into the server`);
  }
  return workspaceFile;
}

rmSync(contractFolder, { recursive: true, force: true });
mkdirSync(contractFolder, { recursive: true });
const index = join(dist, "index.d.ts");
writeFileSync(index, rewrite(readFileSync(index, "utf8"), index, "./contract"));
