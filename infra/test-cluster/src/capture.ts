import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { command } from "./command.ts";
import { ensurePackages } from "./packages.ts";
import { places } from "./places.ts";

/** What passes the node's network, from the beginning of the capture on. */
export interface Capture extends AsyncDisposable {
  /** Gives the packets that a filter of pcap lets through, with what they carry as text. */
  read(filter: string): Promise<string>;
}

/** Records all TCP packets of the running cluster's node, whole, on every interface of Pods. */
export async function captureTraffic(): Promise<Capture> {
  await ensurePackages();
  const folder = await mkdtemp(join(places.cache, "capture-"));
  const file = join(folder, "packets");
  const network = `--net=/proc/${(await readFile(places.pid, "utf8")).trim()}/ns/net`;
  const options = ["-i", "any", "-s", "0", "-U", "--immediate-mode", "-B", "16384", "-Z", "root", "-w", file, "tcp"];
  // It ends with this process, however that ends.
  const mortal = ["--pdeathsig", "KILL", "nsenter", network, "tcpdump"];
  const tcpdump = spawn("setpriv", [...mortal, ...options], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(tcpdump, "close");
  await untilListening(tcpdump.stderr, ended);
  return {
    read: (filter) => command("tcpdump", "-r", file, "-n", "-A", filter),
    async [Symbol.asyncDispose]() {
      tcpdump.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function untilListening(stderr: NodeJS.ReadableStream, ended: Promise<unknown>): Promise<void> {
  const lines = createInterface(stderr);
  const listening = new Promise<void>((resolve) => {
    lines.on("line", (line) => {
      if (line.includes("listening on")) resolve();
    });
  });
  const failed = ended.then(() => {
    throw new Error("tcpdump has ended");
  });
  await Promise.race([listening, failed]);
  failed.catch(() => {});
}
