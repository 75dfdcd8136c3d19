/** Writes JSON as Python's `json.dumps` does: spaces after commas and colons, ASCII only. */
export function toPythonJson(value: unknown): string {
  // Raw line ends stand only between tokens: inside strings they are escaped.
  return JSON.stringify(value, null, 1)
    .replace(/([{[])\n */g, "$1")
    .replace(/\n *([}\]])/g, "$1")
    .replace(/\n */g, " ")
    .replace(/[\u0080-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Gives the runner's complaint about an object that lacks fields; it echoes the whole object. */
export function missingFieldsText(
  type: string,
  fields: { provided: string[]; missing: string[] },
  input: unknown,
): string {
  const names = fields.missing.map((name) => `'${name}'`);
  const plural = names.length > 1 ? "s" : "";
  const start = `\`${type}.__init__()\` missing required fields.\n  Provided: ${toPythonList(fields.provided)}\n  Missing: ${toPythonList(fields.missing)}`;
  const reason = `${type}.__init__() missing ${names.length} required positional argument${plural}: ${enumerate(names)}`;
  return `${start}\n  Input JSON: ${toPythonJson(input)}\n  error: ${reason}`;
}

function toPythonList(names: string[]): string {
  return `[${names.map((name) => `'${name}'`).join(", ")}]`;
}

function enumerate(names: string[]): string {
  if (names.length < 3) return names.join(" and ");
  return `${names.slice(0, -1).join(", ")}, and ${names.at(-1)}`;
}
