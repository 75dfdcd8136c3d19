/**
 * SQLSTATEs (PostgreSQL, appendix A) that say that the server is going, coming, not to be reached, out of connections,
 * memory or disk, or a standby that only reads.
 */
const AWAY_SQLSTATES = /^(08...|53...|57P0[12345]|25P03|25006)$/;
const AWAY_CODES = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);
/** The driver's own words, which come without a code. */
const AWAY_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|is not queryable/;

/** Whether a query failed because the database is not there now, and may work when tried again. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isDatabaseAway);
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return AWAY_CODES.has(code) || AWAY_SQLSTATES.test(code) || AWAY_MESSAGES.test(error.message);
}

/** Whether the server has no room left to store anything. */
export function isDatabaseFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "53100";
}
