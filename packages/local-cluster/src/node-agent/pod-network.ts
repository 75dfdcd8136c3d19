import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** Below the ports that Linux (from 32768) and macOS (from 49152) give to outgoing connections. */
const [FIRST_PORT, PORTS] = [20_000, 12_000];
const [FIRST_ADDRESS, LAST_ADDRESS] = [2, 254];

/** `addresses`: each Pod has an address of its own in 127.0.0.0/8. `ports`: all share 127.0.0.1, with ports of their own. */
export type PodNetworkMode = "addresses" | "ports";

/** All addresses or ports are taken. */
export class NoAddressError extends Error {
  override readonly name = "NoAddressError";
}

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
  /** What Pods have, by their uid. */
  pods: Record<string, PodAddress>;
}

/** Gives Pods their addresses; an address or port serves one Pod at a time, also across restarts of the agent. */
export class PodNetwork {
  readonly mode: PodNetworkMode;
  readonly #file: string;
  readonly #prefix: string;
  readonly #pods: Map<string, PodAddress>;
  readonly #takenPorts: Set<number>;
  #next = FIRST_ADDRESS;

  private constructor(file: string, { mode, prefix, pods }: Settings) {
    this.mode = mode;
    this.#file = file;
    this.#prefix = prefix;
    this.#pods = new Map(Object.entries(pods));
    this.#takenPorts = new Set(Object.values(pods).flatMap(({ ports }) => Object.values(ports ?? {})));
    this.#save();
  }

  /** Takes up the network that the folder's file tells, or chooses one and writes it down. */
  static async open(folder: string, wanted?: PodNetworkMode): Promise<PodNetwork> {
    const file = join(folder, "network.json");
    const known = findSettings(file);
    // Not 127.0.0.x, which others use; at random, so that clusters on one machine do not meet.
    const prefix = known?.prefix ?? `127.${randomInt(1, 255)}.${randomInt(0, 256)}`;
    const mode = wanted ?? known?.mode ?? ((await isFree(`${prefix}.1`, 0)) ? "addresses" : "ports");
    return new PodNetwork(file, { mode, prefix, pods: known?.pods ?? {} });
  }

  find(podUid: string): PodAddress | undefined {
    return this.#pods.get(podUid);
  }

  /**
   * Gives a Pod an address, or a free port for each of its container ports; the same again when asked again.
   *
   * @throws {NoAddressError}
   */
  async assign(podUid: string, containerPorts: readonly number[]): Promise<PodAddress> {
    const known = this.#pods.get(podUid);
    if (known !== undefined) return known;
    const address: PodAddress =
      this.mode === "addresses" ? { ip: this.#nextAddress() } : { ip: "127.0.0.1", ports: {} };
    this.#pods.set(podUid, address);
    for (const containerPort of address.ports === undefined ? [] : containerPorts) {
      Object.assign(address.ports ?? {}, { [containerPort]: await this.#takePort() });
    }
    this.#save();
    return address;
  }

  release(podUid: string): void {
    for (const port of Object.values(this.#pods.get(podUid)?.ports ?? {})) this.#takenPorts.delete(port);
    this.#pods.delete(podUid);
    this.#save();
  }

  /** Takes back what Pods have that are no more. */
  releaseAllBut(podUids: ReadonlySet<string>): void {
    for (const uid of [...this.#pods.keys()]) if (!podUids.has(uid)) this.release(uid);
  }

  /** In turn, so that an address is not given again as soon as it is free. */
  #nextAddress(): string {
    const taken = new Set([...this.#pods.values()].map(({ ip }) => ip));
    for (let tries = FIRST_ADDRESS; tries <= LAST_ADDRESS; tries++) {
      const ip = `${this.#prefix}.${this.#next}`;
      this.#next = this.#next === LAST_ADDRESS ? FIRST_ADDRESS : this.#next + 1;
      if (!taken.has(ip)) return ip;
    }
    throw new NoAddressError(`no address left in ${this.#prefix}.0/24`);
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
    throw new NoAddressError(`no port left between ${FIRST_PORT} and ${FIRST_PORT + PORTS}`);
  }

  #save(): void {
    const settings: Settings = { mode: this.mode, prefix: this.#prefix, pods: Object.fromEntries(this.#pods) };
    writeFileSync(`${this.#file}.new`, JSON.stringify(settings));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function findSettings(file: string): Settings | undefined {
  try {
    const { mode, prefix, pods }: Settings = JSON.parse(readFileSync(file, "utf8"));
    const isWhole = (mode === "addresses" || mode === "ports") && /^127\.\d+\.\d+$/.test(prefix);
    return isWhole ? { mode, prefix, pods: { ...pods } } : undefined;
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
