import type { Generated } from "kysely";

/** A user's runs for one CSIP-Aus version, with the certificate that they share. */
export interface RunGroupTable {
  id: Generated<string>;
  user_id: string;
  name: string;
  csip_aus_version: string;
  certificate_id: string | null;
  created_at: Generated<Date>;
}
