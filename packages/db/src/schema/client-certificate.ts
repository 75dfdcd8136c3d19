import type { Generated, Selectable } from "kysely";

/** A client certificate that we signed. The private key is never stored. */
export interface ClientCertificateTable {
  id: Generated<string>;
  user_id: string;
  kind: "device" | "aggregator";
  der: Buffer;
  /** IEEE 2030.5-2018 §6.3.4: 40 lower-case hex digits. */
  lfdi: string;
  /** IEEE 2030.5-2018 §6.3.3: decimal with check digit. */
  sfdi: string;
  serial_number: string;
  not_before: Date;
  not_after: Date;
  /** The caller's name for the request that made it: the same again makes no other. */
  idempotency_key: string | null;
  /** What a client sends in the TLS handshake; kept where a repeated request may want it again. */
  chain_pem: string | null;
  created_at: Generated<Date>;
}

export type ClientCertificate = Selectable<ClientCertificateTable>;
