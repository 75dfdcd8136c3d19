import { isObject, type JsonObject } from "../json.ts";
import generated from "./schema.generated.json" with { type: "json" };

/** Why a value cannot be what it is sent as, in the API server's words (which are Go's). */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

export interface Decoded {
  value: JsonObject;
  /** Paths of fields that the type does not have. They are left out of the value. */
  unknown: string[];
}

interface Place {
  /** For messages about types: the innermost type's name and the path without indexes. */
  owner: string;
  path: string;
  unknown: string[];
}

const schema: Record<string, Record<string, string> | undefined> = generated;

const SCALARS: Record<string, { goType: string; fits: (value: unknown) => boolean }> = {
  string: { goType: "string", fits: isString },
  bytes: { goType: "[]uint8", fits: isString },
  time: { goType: "string", fits: isString },
  microTime: { goType: "string", fits: isString },
  boolean: { goType: "bool", fits: (value) => typeof value === "boolean" },
  int32: { goType: "int32", fits: Number.isInteger },
  int64: { goType: "int64", fits: Number.isInteger },
  intOrString: { goType: "intstr.IntOrString", fits: (value) => isString(value) || Number.isInteger(value) },
  quantity: { goType: "resource.Quantity", fits: (value) => isString(value) || typeof value === "number" },
  any: { goType: "object", fits: () => true },
};

/** The client's model of a kind. */
export function modelOf(kind: string): string {
  return kind === "Event" ? "CoreV1Event" : `V1${kind}`;
}

/**
 * Takes from a JSON value what a model knows, as Go's decoder does: null and empty lists and maps count as absent, amounts
 * become text.
 *
 * @throws {DecodeError} when a known field has a value of another type
 */
export function decode(model: string, value: unknown): Decoded {
  const unknown: string[] = [];
  const decoded = decodeValue(model, value, { owner: "", path: "", unknown });
  return { value: isObject(decoded) ? decoded : {}, unknown };
}

/** The type of a model's field as the schema writes it (`string`, `[V1Container]`, `{string}`, `V1PodSpec`, …). */
export function fieldType(model: string, field: string): string | undefined {
  return schema[model]?.[field];
}

function decodeValue(type: string, value: unknown, at: Place): unknown {
  const inner = type.slice(1, -1);
  if (type.startsWith("[")) return decodeList(inner, value, at);
  if (type.startsWith("{")) return decodeMap(inner, value, at);
  const fields = schema[type];
  return fields === undefined ? decodeScalar(type, value, at) : decodeFields({ type, fields }, value, at);
}

function decodeFields(
  { type, fields }: { type: string; fields: Record<string, string> },
  value: unknown,
  at: Place,
): unknown {
  if (!isObject(value)) throw mismatch(type, value, at);
  const result: JsonObject = {};
  for (const [field, part] of Object.entries(value)) {
    const partType = fields[field];
    const path = at.path === "" ? field : `${at.path}.${field}`;
    if (partType === undefined) at.unknown.push(path);
    else if (part !== null) {
      const decoded = decodeValue(partType, part, { ...at, owner: goName(type), path });
      if (decoded !== undefined) result[field] = decoded;
    }
  }
  return result;
}

function decodeList(itemType: string, value: unknown, at: Place): unknown {
  if (!Array.isArray(value)) throw mismatch(`[${itemType}]`, value, at);
  if (value.length === 0) return undefined;
  return value.map((item, index) => decodeValue(itemType, item, { ...at, path: `${at.path}[${index}]` }));
}

function decodeMap(valueType: string, value: unknown, at: Place): unknown {
  if (!isObject(value)) throw mismatch(`{${valueType}}`, value, at);
  const entries = Object.entries(value).filter(([, part]) => part !== null);
  if (entries.length === 0) return undefined;
  return Object.fromEntries(entries.map(([key, part]) => [key, decodeValue(valueType, part, at)]));
}

function decodeScalar(type: string, value: unknown, at: Place): unknown {
  if (!SCALARS[type]?.fits(value)) throw mismatch(type, value, at);
  if (type === "bytes") checkBase64(String(value));
  return type === "quantity" ? String(value) : value;
}

function checkBase64(text: string): void {
  const wrong = /[^A-Za-z0-9+/=\r\n]/.exec(text)?.index;
  if (wrong !== undefined) throw new DecodeError(`illegal base64 data at input byte ${wrong}`);
  if (text.replace(/[\r\n]/g, "").length % 4 !== 0) {
    throw new DecodeError(`illegal base64 data at input byte ${text.length - (text.length % 4)}`);
  }
}

function isString(value: unknown): boolean {
  return typeof value === "string";
}

function mismatch(type: string, value: unknown, { owner, path }: Place): DecodeError {
  const found = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  const name = found === "boolean" ? "bool" : found;
  const where = path === "" ? "value" : `struct field ${owner}.${path.replaceAll(/\[\d+\]/g, "")}`;
  return new DecodeError(`json: cannot unmarshal ${name} into Go ${where} of type ${goType(type)}`);
}

function goType(type: string): string {
  const inner = type.slice(1, -1);
  if (type.startsWith("[")) return `[]${goType(inner)}`;
  if (type.startsWith("{")) return `map[string]${goType(inner)}`;
  return SCALARS[type]?.goType ?? `v1.${goName(type)}`;
}

/** `CoreV1Event`, `V1Pod` → `Event`, `Pod`. */
function goName(type: string): string {
  return type.replace(/^[A-Z]?[a-z]*V\d+/, "");
}
