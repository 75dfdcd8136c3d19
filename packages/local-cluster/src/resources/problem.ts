import { type StatusCause, StatusError } from "../status-error.ts";

/** What is wrong with one field. */
export interface Problem {
  field: string;
  type: keyof typeof REASONS;
  value?: unknown;
  detail?: string;
}

const REASONS = {
  "Required value": "FieldValueRequired",
  "Invalid value": "FieldValueInvalid",
  "Unsupported value": "FieldValueNotSupported",
  "Duplicate value": "FieldValueDuplicate",
  "Not found": "FieldValueNotFound",
  "Too long": "FieldValueTooLong",
  Forbidden: "FieldValueForbidden",
} as const;

const HAVE_VALUE = ["Invalid value", "Unsupported value", "Duplicate value", "Not found"];

export function invalid(field: string, value: unknown, detail: string): Problem {
  return { field, type: "Invalid value", value, detail };
}

export function required(field: string, detail?: string): Problem {
  return { field, type: "Required value", ...(detail !== undefined && { detail }) };
}

export function forbiddenChange(field: string, detail: string): Problem {
  return { field, type: "Forbidden", detail };
}

/** The refusal (422 Invalid) of an object with all its problems. */
export function refuseInvalid(kind: { group: string; kind: string }, name: string, problems: Problem[]): StatusError {
  const causes: StatusCause[] = problems.map((problem) => ({
    reason: REASONS[problem.type],
    message: describe(problem),
    field: problem.field,
  }));
  const parts = causes.map(({ field, message }) => `${field}: ${message}`);
  const subject = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const text = parts.length === 1 ? parts[0] : `[${parts.join(", ")}]`;
  return new StatusError(422, "Invalid", `${subject} "${name}" is invalid: ${text}`, {
    ...(name !== "" && { name }),
    ...(kind.group !== "" && { group: kind.group }),
    ...(kind.kind !== "" && { kind: kind.kind }),
    causes,
  });
}

function describe({ type, value, detail }: Problem): string {
  const shown = HAVE_VALUE.includes(type) ? `${type}: ${JSON.stringify(value ?? null)}` : type;
  return detail === undefined ? shown : `${shown}: ${detail}`;
}
