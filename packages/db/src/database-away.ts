/** Classes of SQLSTATE (PostgreSQL, appendix A) that say that the server is going, coming, or not to be reached. */
const AWAY_SQLSTATES = /^(08...|57P0[123]|53300)$/;
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
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/;

/** Whether a query failed because the database is not there now, and may work when tried again. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isDatabaseAway);
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return AWAY_CODES.has(code) || AWAY_SQLSTATES.test(code) || AWAY_MESSAGES.test(error.message);
}
