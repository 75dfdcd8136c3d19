import { sql } from "kysely";
import type { Migration } from "kysely/migration";

export const runExtension: Migration = {
  async up(db) {
    await sql`
      alter table run
        add column extended_until timestamptz,
        add column warned_of timestamptz
    `.execute(db);
  },
};
