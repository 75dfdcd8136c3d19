import { resolve } from "node:path";

/** Where things are on this machine. */
export interface StandaloneConfig {
  /** Folder of all that is kept. */
  home: string;
  /** Port of the orchestrator. */
  port: number;
  /** Port of the mutual-TLS edge. */
  edgePort: number;
  /** What the processes inherit: their own variables (`LOG_LEVEL`, say) can be set from outside. */
  environment: Environment;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads `CACTUS_HOME`, `PORT` and `EDGE_PORT`.
 *
 * @throws {Error} a sentence that names the variable and what it must be
 */
export function parseConfig(environment: Environment): StandaloneConfig {
  const port = readPort(environment, "PORT", 8080);
  const edgePort = readPort(environment, "EDGE_PORT", 8443);
  if (port === edgePort) throw new Error(`PORT and EDGE_PORT must differ; both are ${port}.`);
  return { home: resolve(environment["CACTUS_HOME"] || ".cactus"), port, edgePort, environment };
}

function readPort(environment: Environment, name: string, fallback: number): number {
  const text = environment[name];
  if (!text) return fallback;
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new Error(`${name} must be a port from 1 to 65535, and is ${JSON.stringify(text)}.`);
}
