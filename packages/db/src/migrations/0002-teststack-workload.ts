import { sql } from "kysely";
import type { Migration } from "kysely/migration";

export const teststackWorkload: Migration = {
  async up(db) {
    await sql`
      alter table teststack
        add column workload text not null default 'statefulset' check (workload in ('statefulset', 'pod'))
    `.execute(db);
  },
};
