import type { RunnerStatus } from "./messages.ts";

/** Name of the test procedure when there is none. */
const NO_PROCEDURE = "-";

/** Whether the runner has a test, and has not lost it in a restart. */
export function hasTest(status: RunnerStatus): boolean {
  return status.testProcedureName !== NO_PROCEDURE && status.testProcedureName !== "";
}

/**
 * Whether the test has been passed, as far as a status tells: every criterion met and no malformed XML received.
 * No criteria counts as met. Null: a criterion has not been decided.
 */
export function judgeCriteria(status: RunnerStatus): boolean | null {
  const malformed = status.requestHistory.some((request) => request.bodyXmlErrors.length > 0);
  if (malformed || status.criteria.some((criterion) => criterion.success === false)) return false;
  return status.criteria.every((criterion) => criterion.success === true) ? true : null;
}

/** When a client last reached the test; undefined when none has since the runner started. */
export function lastClientInteraction(status: RunnerStatus): Date | undefined {
  const interaction = status.lastClientInteraction;
  if (interaction?.interactionType !== "Request Proxied") return undefined;
  const time = new Date(interaction.timestamp);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

const PEM_BLOCK = /-----BEGIN [^-]+-----[\s\S]*?(-----END [^-]+-----|$)/g;
const LONGEST_TEXT = 300;

/** What of a runner's text goes to the user: a sentence or two, no PEM. */
export function toUserText(text: string): string {
  const plain = text.replace(PEM_BLOCK, "[certificate]").replace(/\s+/g, " ").trim();
  if (plain.length <= LONGEST_TEXT) return plain;
  return `${plain.slice(0, LONGEST_TEXT - 1).trimEnd()}…`;
}
