export { buildIngressNginxRoute, type HostSettings, type RouteInput, readHostSettings } from "./ingress-nginx.ts";
