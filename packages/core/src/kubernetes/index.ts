export { isConflict, isNotFound, statusOf, toClusterError } from "./api-errors.ts";
export { applyManifests, ensurePki, type Manifest } from "./apply.ts";
export { type Cluster, type ClusterOptions, connectCluster } from "./cluster.ts";
export { type ObjectWatch, type ObjectWatchOptions, type WatchedObject, watchObjects } from "./object-watch.ts";
export { deleteObject, ensureObject } from "./owned-objects.ts";
