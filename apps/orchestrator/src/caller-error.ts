import { OrchestratorError } from "@cactus/core";
import { PkiError } from "@cactus/core/pki";
import { isDatabaseAway, isDatabaseFull, QueueFullError } from "@cactus/db";

/** What of an error may be told to the caller; undefined for one that is for the log alone. */
export function toCallerError(error: unknown): OrchestratorError | undefined {
  if (error instanceof OrchestratorError) return error;
  if (error instanceof PkiError) {
    // What the caller has sent is the caller's to mend; the authority is not.
    const isCallers = error.reason === "invalid_csr" || error.reason === "invalid_input";
    return new OrchestratorError(isCallers ? "invalid_input" : "unavailable", error.message, { cause: error });
  }
  if (error instanceof QueueFullError) {
    const whose =
      error.whose === "user" ? "You have as many runs in the queue as one user may have" : "The queue is full";
    const message = `${whose}: try again when some have got their place.`;
    return new OrchestratorError("too_many_requests", message, { retryAfterSeconds: 30 });
  }
  if (!isDatabaseAway(error)) return undefined;
  const message = isDatabaseFull(error)
    ? "The database has no room left: nothing can be stored until there is some."
    : "The database does not answer now: try again in a moment.";
  return new OrchestratorError("unavailable", message, { cause: error });
}
