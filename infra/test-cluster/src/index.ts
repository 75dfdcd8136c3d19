import type {} from "./global-setup.ts";

export { type Capture, captureTraffic } from "./capture.ts";
export { startTestCluster, stopTestCluster, type TestCluster } from "./cluster.ts";
export type { KubernetesUnderTest } from "./global-setup.ts";
export { loadArchive, loadImage } from "./image.ts";
export { installIngressNginx } from "./ingress-nginx.ts";
export { loadNginxImage } from "./nginx-image.ts";
export { NODE_IMAGE } from "./node-image.ts";
