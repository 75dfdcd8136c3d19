export { startTestCluster, stopTestCluster, type TestCluster } from "./cluster.ts";
export { loadArchive, loadImage } from "./image.ts";
export { NODE_IMAGE } from "./node-image.ts";
