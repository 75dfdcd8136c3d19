import { type ErrorReason, OrchestratorError } from "@cactus/core";
import { initTRPC, type TRPC_ERROR_CODE_KEY, TRPCError } from "@trpc/server";
import { ZodError, z } from "zod";
import type { Caller } from "../auth/caller.ts";
import type { Permission } from "../auth/token-verifier.ts";
import { toCallerError } from "../caller-error.ts";
import type { Deps } from "../deps.ts";

/**
 * What a procedure is called with. The token is checked when a procedure asks for the caller.
 *
 * @public the declarations of the router name it
 */
export interface Context extends Deps {
  requestId: string;
  authorization: string | undefined;
}

/** A context whose caller has been checked. */
export interface UserContext extends Context {
  caller: Caller;
}

/** What callers get for each reason; the HTTP status follows from the tRPC code. */
export const TRPC_CODES: Record<ErrorReason, TRPC_ERROR_CODE_KEY> = {
  invalid_input: "BAD_REQUEST",
  unauthenticated: "UNAUTHORIZED",
  forbidden: "FORBIDDEN",
  not_found: "NOT_FOUND",
  conflict: "CONFLICT",
  precondition_failed: "PRECONDITION_FAILED",
  too_many_requests: "TOO_MANY_REQUESTS",
  unavailable: "SERVICE_UNAVAILABLE",
};

const t = initTRPC.context<Context>().create({
  isDev: false,
  sse: { ping: { enabled: true, intervalMs: 10_000 }, client: { reconnectAfterInactivityMs: 30_000 } },
  errorFormatter({ shape, error, ctx }) {
    return {
      ...shape,
      message: messageOf(error, ctx?.requestId),
      data: { ...shape.data, reason: reasonOf(error), requestId: ctx?.requestId },
    };
  },
});

export const router = t.router;

/** No input error, no 500 and nothing from upstream reaches a caller in its own words: see `messageOf`. */
const procedure = t.procedure.use(async ({ next }) => {
  const result = await next();
  if (!result.ok) throw toTrpcError(result.error);
  return result;
});

export const userProcedure = procedure.use(async ({ ctx, next }) => {
  const caller = await ctx.resolveCaller(ctx.authorization);
  requirePermission(caller, ["user:all", "admin:all"]);
  return next({ ctx: { caller } });
});

export const adminProcedure = userProcedure.use(async ({ ctx, next }) => {
  requirePermission(ctx.caller, ["admin:all"]);
  return next();
});

/** @throws {OrchestratorError} `forbidden` when the caller has none of the permissions */
export function requirePermission(caller: Caller, permissions: Permission[]): void {
  if (permissions.some((permission) => caller.permissions.has(permission))) return;
  const needed = permissions.join(" or ");
  throw new OrchestratorError("forbidden", `The token lacks the permission ${needed}.`);
}

/** What callers are told of an error. Needed by hand for one that comes after an answer has begun. */
export function toTrpcError(error: TRPCError): TRPCError {
  const known = toCallerError(error.cause);
  return known === undefined
    ? error
    : new TRPCError({ code: TRPC_CODES[known.reason], message: known.message, cause: known });
}

function messageOf(error: TRPCError, requestId: string | undefined): string {
  if (error.code === "INTERNAL_SERVER_ERROR") {
    return `Something went wrong inside. The log has it under request id ${requestId}.`;
  }
  if (error.code === "BAD_REQUEST" && error.cause instanceof ZodError) return z.prettifyError(error.cause);
  return error.message;
}

function reasonOf({ code, cause }: TRPCError): ErrorReason | "internal" {
  if (cause instanceof OrchestratorError) return cause.reason;
  const reasons = Object.keys(TRPC_CODES) as ErrorReason[];
  return (
    reasons.find((reason) => TRPC_CODES[reason] === code) ??
    (code === "INTERNAL_SERVER_ERROR" ? "internal" : "invalid_input")
  );
}
