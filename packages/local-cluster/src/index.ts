export { type LocalCluster, type LocalClusterOptions, startLocalCluster } from "./cluster.ts";
export type { Logger } from "./logger.ts";
