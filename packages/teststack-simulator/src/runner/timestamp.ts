/** Writes a time as the runner does: ISO 8601, UTC, with six decimals. */
export function toTimestamp(time: Date): string {
  return time.toISOString().replace("Z", "000Z");
}

export function toOptionalTimestamp(time: Date | undefined): string | null {
  return time === undefined ? null : toTimestamp(time);
}
