import { z } from "zod";
import { container, initContainer } from "./container.ts";
import { podFields, podMetadata } from "./pod.ts";
import { csipAusVersion, dataKey, dnsLabel, imageReference, portNumber } from "./value-forms.ts";

export const API_VERSION = "cactus-orchestrator/v1";

const version = z.strictObject({
  images: z.record(dataKey, imageReference).meta({ description: "What the containers' `image` stands for." }),
});

/** Form of a `teststack.yaml`; {@link findContradictions} checks what its parts say of each other. */
export const teststackSpecSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("Teststack"),
    versions: z
      .record(csipAusVersion, version)
      .refine((versions) => Object.keys(versions).length > 0, "must have at least one version")
      .meta({ description: "Images per CSIP-Aus version." }),
    runner: z
      .strictObject({
        container: dnsLabel,
        port: portNumber,
        proxyPrefix: z.boolean().default(true).meta({
          description: "false for a runner older than 1.11, which knows no ENVOY_PROXY_PREFIX.",
        }),
      })
      .meta({ description: "The container to which the clients' requests and the orchestrator's calls lead." }),
    hrefContainers: z.array(dnsLabel).min(1).meta({
      description: "Containers that write hrefs and get HREF_PREFIX; the first is the 2030.5 server.",
    }),
    containers: z.array(container).min(1),
    sidecars: z.array(container).default([]).meta({
      description: "Started one after the other before initContainers and containers, ended after them.",
    }),
    initContainers: z.array(initContainer).default([]).meta({
      description: "Run one after the other when the sidecars have started, to their end.",
    }),
    ...podFields,
    ...podMetadata,
  })
  .meta({ title: "Teststack of cactus-orchestrator" });

/** A checked `teststack.yaml`. */
export type TeststackSpec = z.output<typeof teststackSpecSchema>;

/** Builds the JSON Schema (draft 2020-12) of `teststack.yaml` for editors; it knows the form, not the cross-checks. */
export function buildTeststackSpecSchema(): object {
  return z.toJSONSchema(teststackSpecSchema, { io: "input" });
}
