export type { ClusterApi, WatchEvent } from "../cluster-api.ts";
export { type Edge, type EdgeOptions, startEdge } from "./edge.ts";
