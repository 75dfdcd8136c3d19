import type { Generated, Selectable } from "kysely";

/** Somebody who has called us; known by issuer and subject of the token. */
export interface AppUserTable {
  id: Generated<string>;
  issuer: string;
  subject: string;
  name: string | null;
  subscription_domain: string | null;
  is_static_uri: Generated<boolean>;
  /** IANA Private Enterprise Number, 0 = none. */
  pen: Generated<number>;
  created_at: Generated<Date>;
}

export type AppUser = Selectable<AppUserTable>;
