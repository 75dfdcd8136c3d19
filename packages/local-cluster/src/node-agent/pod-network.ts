import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** Below the ports that Linux (from 32768) and macOS (from 49152) give to outgoing connections. */
const [FIRST_PORT, PORTS] = [20_000, 12_000];
const [FIRST_ADDRESS, LAST_ADDRESS] = [2, 254];

/** `addresses`: each Pod has an address of its own in 127.0.0.0/8. `ports`: all share 127.0.0.1, with ports of their own. */
export type PodNetworkMode = "addresses" | "ports";

/** What a Pod is reached by. */
export interface PodAddress {
  ip: string;
  /** Container port → port on the node, when the Pod has no address of its own. */
  ports?: Record<string, number>;
}

interface Settings {
  mode: PodNetworkMode;
  /** The first three numbers of every Pod's address. */
  prefix: string;
}

/** Gives Pods their addresses; an address or port serves one Pod at a time. */
export class PodNetwork {
  readonly mode: PodNetworkMode;
  readonly #prefix: string;
  readonly #taken = new Map<string, PodAddress>();
  readonly #takenPorts = new Set<number>();
  #next = FIRST_ADDRESS;

  private constructor({ mode, prefix }: Settings) {
    this.mode = mode;
    this.#prefix = prefix;
  }

  /** Takes up the network that the folder's file tells, or chooses one and writes it down. */
  static async open(folder: string, wanted?: PodNetworkMode): Promise<PodNetwork> {
    const file = join(folder, "network.json");
    const known = findSettings(file);
    // Not 127.0.0.x, which others use; at random, so that clusters on one machine do not meet.
    const prefix = known?.prefix ?? `127.${randomInt(1, 255)}.${randomInt(0, 256)}`;
    const mode = wanted ?? known?.mode ?? ((await isFree(`${prefix}.1`, 0)) ? "addresses" : "ports");
    writeFileSync(file, JSON.stringify({ mode, prefix }));
    return new PodNetwork({ mode, prefix });
  }

  /** Notes what a Pod of an earlier agent has. */
  restore(podUid: string, address: PodAddress): void {
    this.#taken.set(podUid, address);
    for (const port of Object.values(address.ports ?? {})) this.#takenPorts.add(port);
  }

  /** Gives a Pod an address, or a free port for each of its container ports; the same again when asked again. */
  async assign(podUid: string, containerPorts: readonly number[]): Promise<PodAddress> {
    const known = this.#taken.get(podUid);
    if (known !== undefined) return known;
    if (this.mode === "addresses") {
      const address = { ip: this.#nextAddress() };
      this.#taken.set(podUid, address);
      return address;
    }
    const ports: Record<string, number> = {};
    this.#taken.set(podUid, { ip: "127.0.0.1", ports });
    for (const containerPort of containerPorts) ports[containerPort] = await this.#takePort();
    return { ip: "127.0.0.1", ports };
  }

  release(podUid: string): void {
    for (const port of Object.values(this.#taken.get(podUid)?.ports ?? {})) this.#takenPorts.delete(port);
    this.#taken.delete(podUid);
  }

  /** In turn, so that an address is not given again as soon as it is free. */
  #nextAddress(): string {
    const taken = new Set([...this.#taken.values()].map(({ ip }) => ip));
    for (let tries = FIRST_ADDRESS; tries <= LAST_ADDRESS; tries++) {
      const ip = `${this.#prefix}.${this.#next}`;
      this.#next = this.#next === LAST_ADDRESS ? FIRST_ADDRESS : this.#next + 1;
      if (!taken.has(ip)) return ip;
    }
    throw new Error(`no address left in ${this.#prefix}.0/24`);
  }

  async #takePort(): Promise<number> {
    const start = randomInt(PORTS);
    for (let tries = 0; tries < PORTS; tries++) {
      const port = FIRST_PORT + ((start + tries) % PORTS);
      if (this.#takenPorts.has(port)) continue;
      // Noted before it is tried, so that no other Pod tries it meanwhile.
      this.#takenPorts.add(port);
      if (await isFree("127.0.0.1", port)) return port;
      this.#takenPorts.delete(port);
    }
    throw new Error(`no port left between ${FIRST_PORT} and ${FIRST_PORT + PORTS}`);
  }
}

function findSettings(file: string): Settings | undefined {
  try {
    const { mode, prefix }: Settings = JSON.parse(readFileSync(file, "utf8"));
    const isWhole = (mode === "addresses" || mode === "ports") && /^127\.\d+\.\d+$/.test(prefix);
    return isWhole ? { mode, prefix } : undefined;
  } catch {
    return undefined;
  }
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
