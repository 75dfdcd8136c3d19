/** A time as Kubernetes writes it: RFC 3339, to the second, UTC. */
export function toWireTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
