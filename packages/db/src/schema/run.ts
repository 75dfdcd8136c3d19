import type { ColumnType, Generated, GeneratedAlways, Selectable } from "kysely";

export type RunStatus = "provisioning" | "initialised" | "started" | "finalising" | "finalised" | "failed" | "skipped";

export type Finaliser = "client" | "timeout" | "lifetime" | "admin";

export interface RunTable {
  id: Generated<string>;
  /** Counts runs up in the order of their creation; what lists page by. */
  number: GeneratedAlways<string>;
  user_id: string;
  run_group_id: string | null;
  teststack_id: string | null;
  certificate_id: string;
  procedure_id: string;
  /** The procedure as it was when the run was created: what the runner is given. */
  procedure_yaml: string;
  csip_aus_version: string;
  immediate_start: boolean;
  status: Generated<RunStatus>;
  playlist_id: string | null;
  playlist_order: number | null;
  idempotency_key: string | null;

  // Intentions, written by the API, carried out by the reconciler.
  start_requested_at: Date | null;
  finalise_requested_at: Date | null;
  finalise_requested_by: Finaliser | null;
  deleted_at: Date | null;

  // Marks set before runner calls that must not be made twice.
  initialise_called_at: Date | null;
  finalize_called_at: Date | null;

  // Outcome.
  initialised_at: Date | null;
  started_at: Date | null;
  finalised_at: Date | null;
  /** Nothing more will happen to this run: its last event is written. */
  ended_at: Date | null;
  finalised_by: Finaliser | null;
  all_criteria_met: boolean | null;
  start_refusal: string | null;
  failure_reason: string | null;
  failure_message: string | null;

  // What the runner last told.
  last_status: ColumnType<unknown, string | null, string | null>;
  last_status_at: Date | null;
  last_interaction_at: Date | null;
  unreachable_since: Date | null;
  loss: "runner_restarted" | "runner_unreachable" | null;

  /** Neither idle time nor lifetime ends it before. */
  extended_until: Date | null;
  /** The end of which its user has been warned. */
  warned_of: Date | null;

  /** Id of the latest request that wished something of it. */
  request_id: string | null;
  event_count: Generated<number>;
  created_at: Generated<Date>;
}

export type Run = Selectable<RunTable>;
