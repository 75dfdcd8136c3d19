import type { ColumnType, Generated, Selectable } from "kysely";

/** One line of a run's story; never changed, never removed. */
export interface EventTable {
  run_id: string;
  /** 1, 2, 3, … within the run, without gaps, in the order of commit. */
  number: number;
  teststack_id: string | null;
  at: Generated<Date>;
  kind: string;
  message: string;
  detail: ColumnType<Record<string, unknown>, string, never>;
}

export type RunEvent = Selectable<EventTable>;
