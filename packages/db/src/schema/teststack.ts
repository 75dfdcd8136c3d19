import type { Generated, Selectable } from "kysely";

/** How far a teststack is on its way in and out; in this order, some passed over on the way out. */
export type TeststackPhase =
  /** A row, and perhaps the first objects. */
  | "requested"
  /** All objects exist in the cluster. */
  | "created"
  /** Pod Ready and runner healthy. */
  | "ready"
  /** A request through the public edge has reached it. */
  | "routed"
  /** The runner has been given its test. */
  | "live"
  /** Its result is being fetched. */
  | "collecting"
  /** Result stored (or there was none): objects are being deleted. */
  | "deleting"
  /** Nothing of it is left in the cluster. */
  | "gone";

export interface TeststackTable {
  id: Generated<string>;
  user_id: string;
  /** Name of its owner (StatefulSet or Pod), Service and Ingress, and first segment of its public path. */
  name: string;
  /** What keeps its Pod. */
  workload: Generated<"statefulset" | "pod">;
  /** How its Service is spoken to: plainly, or by mutual TLS with a sidecar in its Pod. */
  encryption: Generated<"none" | "sidecar">;
  phase: Generated<TeststackPhase>;
  phase_since: Generated<Date>;
  desired: Generated<"present" | "absent">;
  template: string | null;
  /** SHA-256 of the template's content, hex. */
  template_hash: string | null;
  owner_uid: string | null;
  /** The Pod that was found ready. */
  pod_uid: string | null;
  /** Restarts of its containers until then. */
  pod_restarts: number | null;
  /** Whoever holds the lease is the only one who acts on the teststack. */
  lease_owner: string | null;
  lease_expires_at: Date | null;
  lease_renewed_at: Date | null;
  /** Counts the reconciler's writes: each is a compare-and-set on it. */
  version: Generated<number>;
  /** Failed attempts at the present step. */
  attempts: Generated<number>;
  /** When to look at it again; null: only when woken by an event. */
  next_attempt_at: Date | null;
  /** When it got its place among the live ones; null while it waits in the queue. */
  admitted_at: Date | null;
  /** What its user was last told of its place in the queue, from 1, and when. */
  queue_place: number | null;
  queue_told_at: Date | null;
  failure_reason: string | null;
  failure_message: string | null;
  created_at: Generated<Date>;
  gone_at: Date | null;
}

export type Teststack = Selectable<TeststackTable>;
