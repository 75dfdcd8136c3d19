import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Where the orchestrator is and what lets us in. */
export interface Connection {
  url: string;
  token: string;
}

/** What `standalone.json` tells of the orchestrator that runs on this machine. */
interface Standalone {
  orchestratorUrl: string;
  token: string;
  /** Path of a kubeconfig. */
  kubeconfig: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Finds the orchestrator: by options, else by `CACTUS_URL` and `CACTUS_TOKEN`, else the one that runs on this machine
 * (`standalone.json` in `CACTUS_HOME`, or in `.cactus` here).
 *
 * @throws {Error} a sentence that says what to do
 */
export function findConnection(options: { url?: string; token?: string }, environment: Environment): Connection {
  const url = options.url ?? environment["CACTUS_URL"];
  const token = options.token ?? environment["CACTUS_TOKEN"];
  if (url !== undefined && token !== undefined) return { url, token };
  const info = findStandalone(environment);
  if (info !== undefined) return { url: url ?? info.orchestratorUrl, token: token ?? info.token };
  throw new Error(
    `No orchestrator is known: start one here (npx -y pnpm@10 start), or set CACTUS_URL and CACTUS_TOKEN. (${locate(environment)} cannot be read.)`,
  );
}

/** Finds what runs on this machine. */
export function findStandalone(environment: Environment): Standalone | undefined {
  try {
    return JSON.parse(readFileSync(locate(environment), "utf8")) as Standalone;
  } catch {
    return undefined;
  }
}

function locate(environment: Environment): string {
  return join(resolve(environment["CACTUS_HOME"] || ".cactus"), "standalone.json");
}
