/** A background task: done by one replica at a time, when it is due. */
export interface TaskTable {
  name: string;
  next_due_at: Date;
  lease_owner: string | null;
  lease_expires_at: Date | null;
  last_run_at: Date | null;
}
