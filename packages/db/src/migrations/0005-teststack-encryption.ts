import { sql } from "kysely";
import type { Migration } from "kysely/migration";

export const teststackEncryption: Migration = {
  async up(db) {
    await sql`
      alter table teststack
        add column encryption text not null default 'none' check (encryption in ('none', 'sidecar'))
    `.execute(db);
  },
};
