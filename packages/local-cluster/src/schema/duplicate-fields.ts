const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\],]/g;

interface Level {
  /** The fields of an object seen so far. */
  fields: Set<string>;
  /** The field or the index that is being read. */
  at: string | number;
}

/** Finds the paths of fields that a JSON text gives more than once (JSON.parse keeps the last and says nothing). */
export function findDuplicateFields(json: string): string[] {
  const duplicates: string[] = [];
  const levels: Level[] = [];
  for (const [token, text = "", colon] of json.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (level === undefined || colon === undefined) {
      follow(token, levels);
      continue;
    }
    const field: string = JSON.parse(text);
    level.at = field;
    if (level.fields.has(field)) duplicates.push(pathOf(levels));
    level.fields.add(field);
  }
  return duplicates;
}

/** Keeps the levels in step with brackets and commas. */
function follow(token: string, levels: Level[]): void {
  if (token === "{") levels.push({ fields: new Set(), at: "" });
  if (token === "[") levels.push({ fields: new Set(), at: 0 });
  if (token === "}" || token === "]") levels.pop();
  const level = levels.at(-1);
  if (token === "," && typeof level?.at === "number") level.at += 1;
}

function pathOf(levels: readonly Level[]): string {
  return levels.map(({ at }, depth) => (typeof at === "number" ? `[${at}]` : depth === 0 ? at : `.${at}`)).join("");
}
