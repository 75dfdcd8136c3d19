import { once } from "node:events";
import { parseArgs } from "node:util";
import { startLocalCluster } from "./cluster.ts";
import type { Logger } from "./logger.ts";

/**
 * The local cluster as a process of its own. Says where it is in a line of JSON on standard output (and over the
 * channel, if its parent has one), its log on standard error. SIGTERM and SIGINT end it with its Pods; when its parent is gone (the end of an IPC channel), it goes at once
 * and leaves the Pods' processes to be found by the next start.
 */
const USAGE =
  "usage: main.ts --data-dir <folder> [--host <address>] [--api-port <port>] [--edge-port <port>] [--pod-network addresses|ports] [--image <name>=<folder>]…";

const { values } = parseArgs({
  options: {
    "data-dir": { type: "string" },
    host: { type: "string" },
    "api-port": { type: "string", default: "0" },
    "edge-port": { type: "string", default: "0" },
    "pod-network": { type: "string" },
    image: { type: "string", multiple: true, default: [] },
  },
});

const dataDir = values["data-dir"];
const podNetwork = values["pod-network"];
if (dataDir === undefined || !isPodNetwork(podNetwork)) throw new Error(USAGE);

process.once("disconnect", () => process.exit(0));
const stopped = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);

{
  await using cluster = await startLocalCluster({
    dataDir,
    apiPort: Number(values["api-port"]),
    edgePort: Number(values["edge-port"]),
    images: Object.fromEntries(values.image.map(parseImage)),
    logger: createLogger(),
    ...(values.host !== undefined && { host: values.host }),
    ...(podNetwork !== undefined && { podNetwork }),
  });
  const { kubeconfigPath: kubeconfig, apiUrl, edgeUrl } = cluster;
  const ready = { ready: true, kubeconfig, apiUrl, edgeUrl };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  process.send?.(ready);
  await stopped;
}
// An IPC channel would keep the process.
if (process.connected) process.disconnect();

function isPodNetwork(text: string | undefined): text is "addresses" | "ports" | undefined {
  return text === undefined || text === "addresses" || text === "ports";
}

function parseImage(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new Error(USAGE);
  return [text.slice(0, at), text.slice(at + 1)];
}

function createLogger(): Logger {
  const write =
    (level: string) =>
    (detail: object, message: string): void => {
      const plain = Object.entries(detail).map(([key, value]) => [key, value instanceof Error ? value.stack : value]);
      const line = { time: new Date().toISOString(), level, message, ...Object.fromEntries(plain) };
      process.stderr.write(`${JSON.stringify(line)}\n`);
    };
  return { info: write("info"), warn: write("warn") };
}
