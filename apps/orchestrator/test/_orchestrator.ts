import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createTestDatabase, type TestDatabase } from "@cactus/db/testing";
import { proceduresDirectory } from "@cactus/teststack-simulator";
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { parseConfig } from "../src/config.ts";
import { startOrchestrator } from "../src/orchestrator.ts";

export const ISSUER = "https://issuer.test/";
export const AUDIENCE = "cactus-test";

export interface TestOrchestrator extends AsyncDisposable {
  url: string;
  database: TestDatabase;
  /** Signs a token with the orchestrator's key; claims and header can be changed. */
  sign(claims?: JWTPayload, options?: { key?: CryptoKey; alg?: string }): Promise<string>;
  /** Calls a procedure as a plain HTTP client does. */
  call(path: string, input?: unknown, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  token?: string | undefined;
}

export interface Answer {
  status: number;
  /** The result's data. */
  data: unknown;
  /** Seconds that the caller is told to wait. */
  retryAfter: string | null;
  /** The error's message and data. */
  error: { message: string; reason: string; code: string; requestId: string } | undefined;
}

interface TrpcBody {
  result?: { data: unknown };
  error?: { message: string; data: NonNullable<Answer["error"]> };
}

const MUTATIONS = new Set([
  "certificates.issue",
  "runs.create",
  "runs.start",
  "runs.finalise",
  "runs.delete",
  "runs.extend",
]);

/** What an orchestrator is started with: a database of its own, and keys that check our tokens. */
export interface Surroundings extends AsyncDisposable {
  environment: Record<string, string>;
  database: TestDatabase;
  sign: TestOrchestrator["sign"];
}

export async function prepareSurroundings(variables: Record<string, string> = {}): Promise<Surroundings> {
  await using stack = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "cactus-orchestrator-"));
  stack.defer(() => rm(home, { recursive: true }));
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwks = join(home, "jwks.json");
  await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" }] }));
  const database = stack.use(await createTestDatabase({ empty: true }));
  const owned = stack.move();
  return {
    environment: {
      KUBERNETES_LOAD_CONFIG: "false",
      ORCHESTRATOR_DATABASE_URL: database.url,
      TEST_EXECUTION_FQDN: "localhost",
      JWTAUTH_JWKS_URL: pathToFileURL(jwks).href,
      JWTAUTH_ISSUER: ISSUER,
      JWTAUTH_AUDIENCE: AUDIENCE,
      HTTP_HOST: "127.0.0.1",
      HTTP_PORT: "0",
      LOG_LEVEL: "silent",
      TEST_PROCEDURES_DIRECTORY: proceduresDirectory,
      // Tests ask far more often than people do.
      CALLS_PER_MINUTE_MAX_PER_USER: "1000000",
      ...variables,
    },
    database,
    async sign(claims = {}, options = {}) {
      const payload = { iss: ISSUER, aud: AUDIENCE, sub: randomUUID(), permissions: ["user:all"], ...claims };
      const token = new SignJWT(payload).setProtectedHeader({ alg: options.alg ?? "ES256", kid: "1" });
      if (!("exp" in claims)) token.setExpirationTime("10m");
      return token.sign(options.key ?? privateKey);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A real orchestrator in this process, on a free port; without a cluster unless variables name one. */
export async function startTestOrchestrator(variables: Record<string, string> = {}): Promise<TestOrchestrator> {
  await using stack = new AsyncDisposableStack();
  const surroundings = stack.use(await prepareSurroundings(variables));
  const { url } = stack.use(await startOrchestrator(parseConfig(surroundings.environment)));
  const owned = stack.move();
  return { ...toTestOrchestrator(surroundings, () => url), [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The means to call an orchestrator, wherever it is now. */
export function toTestOrchestrator(
  { database, sign }: Surroundings,
  findUrl: () => string,
): Omit<TestOrchestrator, typeof Symbol.asyncDispose> {
  async function call(path: string, input?: unknown, options: CallOptions = {}): Promise<Answer> {
    const token = "token" in options ? options.token : await sign();
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const json = JSON.stringify(input ?? {});
    const response = MUTATIONS.has(path)
      ? await fetch(`${findUrl()}/trpc/${path}`, {
          method: "POST",
          headers: { ...authorization, "content-type": "application/json" },
          body: json,
        })
      : await fetch(`${findUrl()}/trpc/${path}?input=${encodeURIComponent(json)}`, { headers: authorization });
    const { result, error } = (await response.json()) as TrpcBody;
    return {
      status: response.status,
      data: result?.data,
      retryAfter: response.headers.get("retry-after"),
      error: error && { ...error.data, message: error.message },
    };
  }

  return {
    get url() {
      return findUrl();
    },
    database,
    sign,
    call,
  };
}
