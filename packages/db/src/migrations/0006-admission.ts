import { sql } from "kysely";
import type { Migration } from "kysely/migration";

export const admission: Migration = {
  async up(db) {
    await sql`
      alter table teststack
        add column admitted_at timestamptz,
        add column queue_place integer,
        add column queue_told_at timestamptz
    `.execute(db);
    await sql`update teststack set admitted_at = created_at`.execute(db);
    await sql`create index teststack_by_user on teststack (user_id) where phase <> 'gone'`.execute(db);
    await sql`create index teststack_by_end on teststack (gone_at desc) where phase = 'gone'`.execute(db);
    await sql`alter table run add column request_id text`.execute(db);
    await sql`
      alter table client_certificate
        add column idempotency_key text,
        add column chain_pem text,
        add unique (user_id, idempotency_key)
    `.execute(db);
  },
};
