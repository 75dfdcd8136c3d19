import type { Generated, Selectable } from "kysely";

/** The one row that says which installation this database belongs to. */
export interface InstallationTable {
  singleton: Generated<boolean>;
  /** Value of the label `app.kubernetes.io/instance` on all that we create. */
  id: string;
  /** Signs download links; shared by all replicas. */
  link_key: Buffer;
  created_at: Generated<Date>;
}

export type Installation = Selectable<InstallationTable>;
