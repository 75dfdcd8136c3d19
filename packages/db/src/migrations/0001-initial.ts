import { sql } from "kysely";
import type { Migration } from "kysely/migration";

export const initial: Migration = {
  async up(db) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};

const STATEMENTS = [
  `create table installation (
    singleton boolean primary key default true check (singleton),
    id text not null,
    link_key bytea not null,
    created_at timestamptz not null default now()
  )`,
  `create table app_user (
    id uuid primary key default gen_random_uuid(),
    issuer text not null,
    subject text not null,
    name text,
    subscription_domain text,
    is_static_uri boolean not null default false,
    pen integer not null default 0 check (pen >= 0),
    created_at timestamptz not null default now(),
    unique (issuer, subject)
  )`,
  `create table client_certificate (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references app_user,
    kind text not null check (kind in ('device', 'aggregator')),
    der bytea not null,
    lfdi text not null check (lfdi ~ '^[0-9a-f]{40}$'),
    sfdi text not null,
    serial_number text not null,
    not_before timestamptz not null,
    not_after timestamptz not null,
    created_at timestamptz not null default now()
  )`,
  "create index client_certificate_by_user on client_certificate (user_id, created_at desc)",
  `create table run_group (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references app_user,
    name text not null,
    csip_aus_version text not null,
    certificate_id uuid references client_certificate,
    created_at timestamptz not null default now()
  )`,
  "create index run_group_by_user on run_group (user_id)",
  `create table teststack (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references app_user,
    name text not null unique,
    phase text not null default 'requested'
      check (phase in ('requested', 'created', 'ready', 'routed', 'live', 'collecting', 'deleting', 'gone')),
    phase_since timestamptz not null default now(),
    desired text not null default 'present' check (desired in ('present', 'absent')),
    template text,
    template_hash text,
    owner_uid text,
    pod_uid text,
    pod_restarts integer,
    lease_owner text,
    lease_expires_at timestamptz,
    lease_renewed_at timestamptz,
    version integer not null default 0,
    attempts integer not null default 0,
    next_attempt_at timestamptz default now(),
    failure_reason text,
    failure_message text,
    created_at timestamptz not null default now(),
    gone_at timestamptz
  )`,
  "create index teststack_not_gone on teststack (next_attempt_at) where phase <> 'gone'",
  `create table run (
    id uuid primary key default gen_random_uuid(),
    number bigint not null generated always as identity unique,
    user_id uuid not null references app_user,
    run_group_id uuid references run_group,
    teststack_id uuid references teststack,
    certificate_id uuid not null references client_certificate,
    procedure_id text not null,
    procedure_yaml text not null,
    csip_aus_version text not null,
    immediate_start boolean not null,
    status text not null default 'provisioning'
      check (status in ('provisioning', 'initialised', 'started', 'finalising', 'finalised', 'failed', 'skipped')),
    playlist_id uuid,
    playlist_order integer,
    idempotency_key text,
    start_requested_at timestamptz,
    finalise_requested_at timestamptz,
    finalise_requested_by text check (finalise_requested_by in ('client', 'timeout', 'lifetime', 'admin')),
    deleted_at timestamptz,
    initialise_called_at timestamptz,
    finalize_called_at timestamptz,
    initialised_at timestamptz,
    started_at timestamptz,
    finalised_at timestamptz,
    ended_at timestamptz,
    finalised_by text check (finalised_by in ('client', 'timeout', 'lifetime', 'admin')),
    all_criteria_met boolean,
    start_refusal text,
    failure_reason text,
    failure_message text,
    last_status jsonb,
    last_status_at timestamptz,
    last_interaction_at timestamptz,
    unreachable_since timestamptz,
    loss text check (loss in ('runner_restarted', 'runner_unreachable')),
    event_count integer not null default 0,
    created_at timestamptz not null default now(),
    check ((playlist_id is null) = (playlist_order is null))
  )`,
  "create unique index run_by_idempotency_key on run (user_id, idempotency_key)",
  "create index run_by_user on run (user_id, number desc) where deleted_at is null",
  "create index run_by_teststack on run (teststack_id, playlist_order)",
  `create table event (
    run_id uuid not null references run,
    number integer not null,
    teststack_id uuid references teststack,
    at timestamptz not null default clock_timestamp(),
    kind text not null,
    message text not null,
    detail jsonb not null,
    primary key (run_id, number)
  )`,
  `create table artifact (
    id uuid primary key default gen_random_uuid(),
    run_id uuid not null unique references run,
    kind text not null check (kind in ('complete', 'partial')),
    file_name text not null,
    content_type text not null,
    size bigint not null,
    sha256 text not null,
    created_at timestamptz not null default now()
  )`,
  `create table artifact_chunk (
    artifact_id uuid not null references artifact on delete cascade,
    number integer not null,
    data bytea not null,
    primary key (artifact_id, number)
  )`,
  // Zips do not compress again: keep them out of line as they are.
  "alter table artifact_chunk alter column data set storage external",
  `create table task (
    name text primary key,
    next_due_at timestamptz not null,
    lease_owner text,
    lease_expires_at timestamptz,
    last_run_at timestamptz
  )`,
];
