export { buildIngressNginxRoute, type RouteInput } from "./ingress-nginx.ts";
