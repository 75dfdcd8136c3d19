/** Annotation of a Pod that has no address of its own: JSON of container port → port on the node, `{"8080":23456}`. */
export const PORTS_ANNOTATION = "local-cluster/ports";

/**
 * The port on which a Pod's container port is reached at its `status.podIP`: the same port, unless the Pod shares the
 * node's address and the node agent gave it another one (annotation `local-cluster/ports`).
 */
export function podPort(pod: { metadata?: { annotations?: Record<string, string> } }, containerPort: number): number {
  const annotation = pod.metadata?.annotations?.[PORTS_ANNOTATION];
  if (annotation === undefined) return containerPort;
  try {
    const port: unknown = JSON.parse(annotation)[containerPort];
    return typeof port === "number" ? port : containerPort;
  } catch {
    return containerPort;
  }
}
