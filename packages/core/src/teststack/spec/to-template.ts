import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import { OrchestratorError } from "../../errors.ts";
import type { Template } from "../template.ts";
import type { TeststackSpec } from "./schema.ts";

/**
 * Builds the pair of objects of which the instances for one CSIP-Aus version are copies, as if it had been read from
 * the cluster. The same spec gives the same pair.
 *
 * @param options `name`: of both objects; `servicePort`: of the Service, 80 by default
 * @throws {OrchestratorError} `unavailable` when the spec has no such version; the message lists those it has
 */
export function toTemplate(
  spec: TeststackSpec,
  csipAusVersion: string,
  options: { namespace: string; name: string; servicePort?: number },
): Template {
  const { namespace, name, servicePort = 80 } = options;
  const metadata = { namespace, name };
  const app = { app: name };
  return {
    statefulSet: {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: {
        ...metadata,
        ...(!spec.runner.proxyPrefix && { annotations: { "cactus-orchestrator/runner-proxy-prefix": "false" } }),
      },
      spec: {
        serviceName: name,
        replicas: 0,
        selector: { matchLabels: app },
        template: {
          metadata: {
            labels: { ...spec.labels, ...app },
            ...(spec.annotations && { annotations: spec.annotations }),
          },
          spec: buildPod(spec, getImages(spec, csipAusVersion)),
        },
      },
    },
    service: {
      apiVersion: "v1",
      kind: "Service",
      metadata: { ...metadata },
      spec: { selector: app, ports: [{ name: "http", port: servicePort, targetPort: spec.runner.port }] },
    },
  };
}

type Images = TeststackSpec["versions"][string]["images"];

function getImages({ versions }: TeststackSpec, csipAusVersion: string): Images {
  const version = Object.hasOwn(versions, csipAusVersion) ? versions[csipAusVersion] : undefined;
  if (version !== undefined) return version.images;
  const known = Object.keys(versions).join(", ");
  throw new OrchestratorError("unavailable", `The teststack.yaml has no version ${csipAusVersion}; it has ${known}.`);
}

function buildPod(spec: TeststackSpec, images: Images): V1PodSpec {
  const { apiVersion, kind, versions, runner, labels, annotations, hrefContainers, ...pod } = spec;
  const { containers, sidecars, initContainers, ...asTheyAre } = pod;
  const hrefs = new Set(hrefContainers);
  const build = (container: V1Container): V1Container => ({
    ...container,
    image: images[container.image ?? ""],
    // The builders give the variable its value where it is.
    ...(hrefs.has(container.name) && { env: [{ name: "HREF_PREFIX", value: "" }, ...(container.env ?? [])] }),
  });
  const before = [
    ...sidecars.map((sidecar) => ({ ...build(sidecar), restartPolicy: "Always" })),
    ...initContainers.map(build),
  ];
  return { ...asTheyAre, containers: containers.map(build), ...(before.length > 0 && { initContainers: before }) };
}
