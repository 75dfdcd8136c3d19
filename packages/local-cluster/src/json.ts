/** Any JSON object whose shape is not known here. */
export type JsonObject = { [field: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Freezes a JSON value with all it holds, so that it can be shared without copies. */
export function deepFreeze<TValue>(value: TValue): TValue {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

const texts = new WeakMap<object, string>();

/** The JSON text of a frozen object; made once, however many watches send it. */
export function textOf(object: object): string {
  let text = texts.get(object);
  if (text === undefined) {
    text = JSON.stringify(object);
    texts.set(object, text);
  }
  return text;
}

/** Finds what a dotted path such as `spec.nodeName` names. */
export function findAt(object: unknown, path: string): unknown {
  let value = object;
  for (const field of path.split(".")) {
    if (!isObject(value)) return undefined;
    value = value[field];
  }
  return value;
}
