import { OrchestratorError } from "@cactus/core";
import { type Database, ensureUser, type Kysely } from "@cactus/db";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { Config } from "../config.ts";
import type { Permission, TokenVerifier } from "./token-verifier.ts";

/** Whoever sent a request, once the token has been checked. */
export interface Caller {
  userId: string;
  name: string;
  permissions: ReadonlySet<Permission>;
}

/** @throws {OrchestratorError} `unauthenticated`, `too_many_requests` or `unavailable` */
export type CallerResolver = (authorization: string | undefined) => Promise<Caller>;

/** Most users whose row is remembered. */
const REMEMBERED_USERS = 10_000;

/**
 * Finds the caller of a request by its `Authorization` header; a user's row is made at the first call. Counts the calls of
 * each user: of those in a batch, each one.
 */
export function createCallerResolver(deps: {
  db: Kysely<Database>;
  verifyToken: TokenVerifier;
  config: Pick<Config, "CALLS_PER_MINUTE_MAX_PER_USER">;
}): CallerResolver {
  const userIds = new Map<string, string>();
  const calls = new RateLimiterMemory({ points: deps.config.CALLS_PER_MINUTE_MAX_PER_USER, duration: 60 });

  async function findUserId(issuer: string, subject: string, name: string | undefined): Promise<string> {
    const key = JSON.stringify([issuer, subject]);
    const known = userIds.get(key);
    if (known !== undefined) return known;
    const user = await ensureUser(deps.db, { issuer, subject, ...(name !== undefined && { name }) });
    if (userIds.size >= REMEMBERED_USERS) userIds.clear();
    userIds.set(key, user.id);
    return user.id;
  }

  return async (authorization) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) {
      throw new OrchestratorError("unauthenticated", "Send a token: Authorization: Bearer <token>.");
    }
    const { issuer, subject, name, permissions } = await deps.verifyToken(token);
    await calls.consume(subject).catch(refuseForNow);
    return { userId: await findUserId(issuer, subject, name), name: name ?? subject, permissions };
  };
}

function refuseForNow(state: unknown): never {
  if (!(state instanceof RateLimiterRes)) throw state;
  const seconds = Math.ceil(state.msBeforeNext / 1000);
  const message = `You have called as often as one user may in a minute: try again in ${seconds} s.`;
  throw new OrchestratorError("too_many_requests", message, { retryAfterSeconds: seconds });
}
