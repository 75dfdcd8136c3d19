/** Why something was not done, as a caller can act on it. */
export type ErrorReason =
  /** A field of the input is wrong; the message names it and the fix. */
  | "invalid_input"
  /** No token, or one that is not accepted. */
  | "unauthenticated"
  /** The token lacks a permission. */
  | "forbidden"
  /** It does not exist, or it is somebody else's. */
  | "not_found"
  /** It is not in a state in which this can be done. */
  | "conflict"
  /** The runner says that a precondition of the test is not met; the message is for the tester. */
  | "precondition_failed"
  /** More than one user may have waiting, or may ask for in a minute: wait. */
  | "too_many_requests"
  /** Kubernetes, Postgres or the runner does not answer now: try again. */
  | "unavailable";

/**
 * An error whose message may be shown to the caller.
 * What must stay inside (upstream texts, addresses) goes into `cause`, which is logged and never sent.
 */
export class OrchestratorError extends Error {
  override readonly name = "OrchestratorError";
  readonly reason: ErrorReason;
  /** After how many seconds to try again, where that is known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(reason: ErrorReason, message: string, options?: ErrorOptions & { retryAfterSeconds?: number }) {
    super(message, options);
    this.reason = reason;
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}
