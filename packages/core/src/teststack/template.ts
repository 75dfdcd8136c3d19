import { createHash } from "node:crypto";
import type { V1Service, V1StatefulSet } from "@kubernetes/client-node";
import { OrchestratorError } from "../errors.ts";

/** On a template whose runner is older than 1.11 and knows no `ENVOY_PROXY_PREFIX`: set it to `"false"`. */
const PROXY_PREFIX_ANNOTATION = "cactus-orchestrator/runner-proxy-prefix";

/** The pair of objects that every teststack is a copy of. */
export interface Template {
  statefulSet: V1StatefulSet;
  service: V1Service;
}

/**
 * Path below which an instance's runner proxies clients' requests; empty for a template whose runner has no such prefix.
 * It is the instance's own: what an edge leads to another instance by mistake is not passed on there, so that an answer
 * from below it proves that this very instance was reached. It ends in what nginx calls a client whose certificate it has verified: a route that puts nginx's verdict in that place
 * leads nobody else to anything, whatever has become of the host's settings.
 */
export function buildProxyPrefix({ statefulSet }: Template, teststackName: string): string {
  return statefulSet.metadata?.annotations?.[PROXY_PREFIX_ANNOTATION] === "false" ? "" : `/${teststackName}-SUCCESS`;
}

/** SHA-256 (hex) of what of the template shows in its copies: the same content gives the same hash. */
export function hashTemplate({ statefulSet, service }: Template): string {
  const content = [statefulSet.spec, statefulSet.metadata?.annotations?.[PROXY_PREFIX_ANNOTATION], service.spec?.ports];
  return createHash("sha256").update(JSON.stringify(content, sortKeys)).digest("hex");
}

/**
 * Checks what the copies rely on.
 *
 * @throws {OrchestratorError} `unavailable` with a sentence that names the object and what it lacks
 */
export function checkTemplate(template: Template, expected: { appName: string; servicePort: number }): void {
  const { statefulSet, service } = template;
  const pod = statefulSet.spec?.template.spec;
  if (pod === undefined || pod.containers.length === 0) {
    throw broken(`StatefulSet ${nameOf(statefulSet)} has no containers`);
  }
  if (!pod.containers.some((container) => container.name === expected.appName)) {
    throw broken(`StatefulSet ${nameOf(statefulSet)} has no container named ${expected.appName}`);
  }
  if (!service.spec?.ports?.some((port) => port.port === expected.servicePort)) {
    throw broken(`Service ${nameOf(service)} has no port ${expected.servicePort}`);
  }
}

function broken(what: string): OrchestratorError {
  return new OrchestratorError("unavailable", `The teststack template cannot be used: ${what}.`);
}

function nameOf(object: V1StatefulSet | V1Service): string {
  return `${object.metadata?.namespace}/${object.metadata?.name}`;
}

function sortKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
