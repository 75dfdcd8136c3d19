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

/** How long the API server, which has too much to do, asks to be left alone; 0 when it does not. */
export function retryAfterMs(error: unknown): number {
  if (error instanceof OrchestratorError) return retryAfterMs(error.cause);
  if (!(error instanceof ApiException)) return 0;
  const seconds = Number(error.headers["retry-after"] ?? 0);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), LONGEST_REST_SECONDS) * 1000 : 0;
}

const LONGEST_REST_SECONDS = 60;

/** Turns whatever a call to the cluster threw into an error without upstream text, which stays in `cause`. */
export function toClusterError(error: unknown, action: string): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  const status = statusOf(error);
  const what = status === undefined ? "the cluster does not answer" : `the cluster answered ${status}`;
  return new OrchestratorError("unavailable", `Could not ${action}: ${what}.`, { cause: error });
}

/** What the API server means by the reasons that it gives for a field, in a sentence's words. */
const FIELD_REASONS: Record<string, string> = {
  FieldValueRequired: "is required",
  FieldValueInvalid: "is not valid",
  FieldValueNotSupported: "is not one of the values that there are",
  FieldValueDuplicate: "is there twice",
  FieldValueForbidden: "may not be set",
  FieldValueTooLong: "is too long",
  FieldValueTooMany: "has too many items",
  FieldValueNotFound: "names what does not exist",
  FieldValueTypeInvalid: "has the wrong type",
};

/**
 * Tells which fields of an object the API server refuses (422 Unprocessable Entity, 400 Bad Request), by its structured
 * causes alone, without its text. Undefined for any other error.
 */
export function describeObjection(error: unknown): string | undefined {
  const status = statusOf(error);
  if (status !== 422 && status !== 400) return undefined;
  const causes = causesOf(error as ApiException<unknown>);
  if (causes.length === 0) return status === 400 ? "it cannot be read" : "it is not valid";
  const told = causes.map(({ field, reason }) => `${field} ${FIELD_REASONS[reason ?? ""] ?? "is refused"}`);
  return [...new Set(told)].join(", ");
}

interface Cause {
  field: string;
  reason?: string;
}

function causesOf({ body }: ApiException<unknown>): Cause[] {
  try {
    const status = typeof body === "string" ? JSON.parse(body) : body;
    return (status?.details?.causes ?? []).filter((cause: Partial<Cause>) => typeof cause.field === "string");
  } catch {
    return [];
  }
}
