import { readFileSync } from "node:fs";
import { OrchestratorError } from "@cactus/core";
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import type { Config } from "../config.ts";

const PERMISSIONS = ["user:all", "admin:all"] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** What a token says of its bearer. */
interface Identity {
  issuer: string;
  subject: string;
  name: string | undefined;
  permissions: ReadonlySet<Permission>;
}

interface Verdict {
  identity: Identity;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Checks a bearer token. @throws {OrchestratorError} `unauthenticated` with the reason, or `unavailable` when the keys cannot be had */
export type TokenVerifier = (token: string) => Promise<Identity>;

/** Signature algorithms with public keys; a secret shared with the issuer is not a way in. */
const ALGORITHMS = ["ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256"];

/** A token that was checked is taken as it is for so long, and never beyond its own time. */
const REMEMBERED_MS = 30_000;
const REMEMBERED_TOKENS = 1_000;

export function createTokenVerifier(
  config: Pick<Config, "JWTAUTH_JWKS_URL" | "JWTAUTH_ISSUER" | "JWTAUTH_AUDIENCE">,
): TokenVerifier {
  const keys = openKeys(new URL(config.JWTAUTH_JWKS_URL));
  const known = new Map<string, Verdict & { checkedAt: number }>();

  return async (token) => {
    const earlier = known.get(token);
    const isFresh = earlier !== undefined && performance.now() < earlier.checkedAt + REMEMBERED_MS;
    if (isFresh && Date.now() < earlier.expiresAt) return earlier.identity;
    const verdict = await verify(token);
    if (known.size >= REMEMBERED_TOKENS) known.clear();
    known.set(token, { ...verdict, checkedAt: performance.now() });
    return verdict.identity;
  };

  async function verify(token: string): Promise<Verdict> {
    const { payload } = await jwtVerify(token, keys, {
      issuer: config.JWTAUTH_ISSUER,
      audience: config.JWTAUTH_AUDIENCE,
      algorithms: ALGORITHMS,
      requiredClaims: ["sub", "exp"],
      clockTolerance: 5,
    }).catch((error: unknown) => {
      throw explain(error);
    });
    const identity = {
      issuer: config.JWTAUTH_ISSUER,
      subject: payload.sub ?? "",
      name: typeof payload["name"] === "string" ? payload["name"] : undefined,
      permissions: readPermissions(payload),
    };
    return { identity, expiresAt: (payload.exp ?? 0) * 1000 };
  }
}

function openKeys(url: URL): JWTVerifyGetKey {
  if (url.protocol !== "file:") return createRemoteJWKSet(url, { timeoutDuration: 5_000 });
  return createLocalJWKSet(JSON.parse(readFileSync(url, "utf8")));
}

/** Permissions stand in the claim `permissions` (a list, as Auth0 has it) or `scope` (RFC 8693 §4.2: one text). */
function readPermissions(payload: JWTPayload): ReadonlySet<Permission> {
  const { permissions, scope } = payload;
  const named = [
    ...(Array.isArray(permissions) ? permissions : []),
    ...(typeof scope === "string" ? scope.split(" ") : []),
  ];
  return new Set(PERMISSIONS.filter((permission) => named.includes(permission)));
}

/** What goes wrong while the keys are fetched, whatever the token is. */
const KEY_FAULTS = new Set(["ERR_JOSE_GENERIC", "ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID"]);

function explain(error: unknown): OrchestratorError {
  if (error instanceof errors.JWTExpired) return refuse("The token has expired: get a new one.", error);
  if (error instanceof errors.JWTClaimValidationFailed) {
    return refuse(`The token's claim "${error.claim}" is not the one that is expected here.`, error);
  }
  if (error instanceof errors.JOSEError && !KEY_FAULTS.has(error.code))
    return refuse("The token is not one that is accepted here.", error);
  return new OrchestratorError("unavailable", "The keys that check tokens cannot be had now.", { cause: error });
}

function refuse(message: string, cause: unknown): OrchestratorError {
  return new OrchestratorError("unauthenticated", message, { cause });
}
