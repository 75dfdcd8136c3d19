import type { z } from "zod";

const KINDS: Record<string, string> = {
  string: "text: put it in quotes",
  int: "a whole number",
  number: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map",
  record: "a map",
};

/** zod error map: says in words what a value must be; never what it is, which may be secret. */
export function explainIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined) return "is missing: add it";
  if (issue.input === null) return "is empty: give it a value ({} for a map of defaults), or remove it";
  switch (issue.code) {
    case "invalid_type":
      return `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.map((value) => (value === "" ? '""' : String(value))).join(" or ")}`;
    case "too_small":
      return issue.origin === "array" || issue.origin === "string"
        ? "must not be empty"
        : `must be at least ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}`;
    default:
      return undefined;
  }
}

/** One line for each mistake: path, and what to mend. */
export function describeIssue(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${formatPath([...issue.path, key])}: there is no such field: remove or respell it`);
  }
  const message = issue.code === "invalid_key" ? issue.issues[0]?.message : issue.message;
  return [`${formatPath(issue.path)}: ${message}`];
}

const MAX_KEY = 64;

/** `versions["v1.2"].images.envoy`, `containers[0].env[1].name`. */
function formatPath(path: PropertyKey[]): string {
  return path
    .map((key, index) => {
      if (typeof key === "number") return `[${key}]`;
      const name = String(key).slice(0, MAX_KEY);
      if (!/^[-A-Za-z0-9_]+$/.test(name)) return `[${JSON.stringify(name)}]`;
      return index === 0 ? name : `.${name}`;
    })
    .join("");
}
