import { createHmac, timingSafeEqual } from "node:crypto";

const LIFE_MS = 5 * 60_000;

/** Makes a path that downloads one run's artifact without a token, for five minutes. */
export function buildArtifactLink(input: { runId: string; key: Buffer; now: Date }): {
  path: string;
  expiresAt: string;
} {
  const expires = input.now.getTime() + LIFE_MS;
  const query = new URLSearchParams({ expires: String(expires), signature: sign(input.key, input.runId, expires) });
  return { path: `/runs/${input.runId}/artifact?${query}`, expiresAt: new Date(expires).toISOString() };
}

/** Whether the query of a link was made by {@link buildArtifactLink} for this run and has not expired. */
export function isValidArtifactLink(
  query: { expires: string; signature: string },
  expected: { runId: string; key: Buffer; now: Date },
): boolean {
  const expires = Number(query.expires);
  if (!Number.isSafeInteger(expires) || expires < expected.now.getTime()) return false;
  const signature = Buffer.from(sign(expected.key, expected.runId, expires));
  const given = Buffer.from(query.signature);
  return given.length === signature.length && timingSafeEqual(given, signature);
}

function sign(key: Buffer, runId: string, expires: number): string {
  return createHmac("sha256", key).update(`artifact/${runId}/${expires}`).digest("base64url");
}
