export type PkiErrorReason =
  | "invalid_input"
  | "invalid_csr"
  | "invalid_certificate"
  | "invalid_authority"
  | "authority_not_ca"
  | "authority_chain_broken"
  | "authority_not_yet_valid"
  | "authority_expired"
  | "invalid_key"
  | "key_encrypted"
  | "key_mismatch";

/** Says in its message which field is wrong and what to do about it; the message holds no secret and may be shown to the caller. */
export class PkiError extends Error {
  override readonly name = "PkiError";
  readonly reason: PkiErrorReason;

  constructor(reason: PkiErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
