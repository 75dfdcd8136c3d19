import type {} from "./global-setup.ts";

export { startTestCluster, stopTestCluster, type TestCluster } from "./cluster.ts";
export type { KubernetesUnderTest } from "./global-setup.ts";
export { loadArchive, loadImage } from "./image.ts";
export { installIngressNginx } from "./ingress-nginx.ts";
export { NODE_IMAGE } from "./node-image.ts";
