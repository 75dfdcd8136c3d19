import { buildF5Route, readF5Host } from "./f5.ts";
import { buildIngressNginxRoute, readIngressNginxHost } from "./ingress-nginx.ts";
import type { EdgeProfile } from "./route.ts";

export type { EdgeProfile, HostSettings, RouteInput } from "./route.ts";

/** The profiles there are, by what `EDGE_PROFILE` calls them. */
export const edgeProfiles = {
  "ingress-nginx": { readHostSettings: readIngressNginxHost, buildRoute: buildIngressNginxRoute },
  f5: { readHostSettings: readF5Host, buildRoute: buildF5Route },
} satisfies Record<string, EdgeProfile>;

export type EdgeProfileName = keyof typeof edgeProfiles;
