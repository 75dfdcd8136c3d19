export function toSnakeName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Renames the keys of an answer at every depth; the names of steps, which are keys too, stay. */
export function toSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toSnakeCase);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      toSnakeName(key),
      key === "stepStatus" ? withSteps(inner) : toSnakeCase(inner),
    ]),
  );
}

function withSteps(steps: unknown): unknown {
  if (typeof steps !== "object" || steps === null) return steps;
  return Object.fromEntries(Object.entries(steps).map(([step, state]) => [step, toSnakeCase(state)]));
}
