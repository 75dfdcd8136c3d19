import { join } from "node:path";
import type { ClusterApi } from "../src/cluster-api.ts";
import type { NodeAgentOptions } from "../src/node-agent/node-agent.ts";

export const NODE = "local";
/** The image of every container that does not say otherwise: the fixture's folder, and the machine's own programs. */
export const IMAGE = "machine";

/** An agent that keeps its things below a folder, which is also its images' folder. */
export function agentOptions(
  cluster: ClusterApi,
  folder: string,
  more: Partial<NodeAgentOptions> = {},
): NodeAgentOptions {
  const backoff = { initialMs: 200, maxMs: 800 };
  const app = { folder, entrypoint: ["node", "main.ts"], cmd: ["from-image"], env: { FROM_IMAGE: "i", OVER: "image" } };
  const images = { [IMAGE]: folder, app };
  return { cluster, dataDir: join(folder, "data"), nodeName: NODE, images, backoff, ...more };
}
