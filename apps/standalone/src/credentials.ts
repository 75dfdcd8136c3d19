import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";

const ISSUER = "cactus-standalone";
const AUDIENCE = "cactus";
const ALGORITHM = "ES256";

/** What lets this machine's user in: only files that its owner alone can read. */
export interface Credentials {
  /** Bearer token of an administrator, for 30 days. */
  token: string;
  /** The variables that make an orchestrator accept the token. */
  environment: Record<"JWTAUTH_JWKS_URL" | "JWTAUTH_ISSUER" | "JWTAUTH_AUDIENCE", string>;
  databasePassword: string;
}

/** Makes the keys at the first start and finds them again at each later one. */
export async function ensureCredentials(home: string): Promise<Credentials> {
  const keyText = await ensureFile(join(home, "token-key.json"), makeKey);
  const jwk: JWK = JSON.parse(keyText);
  const { d: _, ...publicJwk } = jwk;
  const jwks = join(home, "jwks.json");
  await writeFile(jwks, JSON.stringify({ keys: [publicJwk] }));
  const token = await new SignJWT({ name: "laptop user", permissions: ["user:all", "admin:all"] })
    .setProtectedHeader({ alg: ALGORITHM, kid: jwk.kid ?? "" })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject("laptop-user")
    .setIssuedAt()
    .setExpirationTime("30d")
    .sign(await importJWK(jwk, ALGORITHM));
  return {
    token,
    environment: { JWTAUTH_JWKS_URL: pathToFileURL(jwks).href, JWTAUTH_ISSUER: ISSUER, JWTAUTH_AUDIENCE: AUDIENCE },
    databasePassword: await ensureFile(join(home, "database-password"), async () =>
      randomBytes(18).toString("base64url"),
    ),
  };
}

async function makeKey(): Promise<string> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const kid = randomBytes(6).toString("hex");
  return JSON.stringify({ ...(await exportJWK(privateKey)), kid, alg: ALGORITHM, use: "sig" });
}

async function ensureFile(path: string, make: () => Promise<string>): Promise<string> {
  const found = await readFile(path, "utf8").catch(() => undefined);
  if (found !== undefined) return found;
  const content = await make();
  await writeFile(path, content, { mode: 0o600, flag: "wx" });
  return content;
}
