import { ApiException } from "@kubernetes/client-node";
import { OrchestratorError } from "../errors.ts";

/** HTTP status of an answer of the API server; undefined for anything else (a refused connection, a time limit, a bug). */
export function statusOf(error: unknown): number | undefined {
  return error instanceof ApiException ? Number(error.code) : undefined;
}

export function isNotFound(error: unknown): boolean {
  return statusOf(error) === 404;
}

/** The object exists already, has changed meanwhile, or a precondition (UID) does not hold. */
export function isConflict(error: unknown): boolean {
  return statusOf(error) === 409;
}

/** Turns whatever a call to the cluster threw into an error without upstream text, which stays in `cause`. */
export function toClusterError(error: unknown, action: string): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  const status = statusOf(error);
  const what = status === undefined ? "the cluster does not answer" : `the cluster answered ${status}`;
  return new OrchestratorError("unavailable", `Could not ${action}: ${what}.`, { cause: error });
}
