import type { JsonObject } from "../json.ts";

/**
 * `kubectl create configmap|namespace|secret|serviceaccount` sends protobuf and nothing else. These are the messages
 * that takes, by field number, as in the `generated.proto` files of Kubernetes; a field that is not here is passed over.
 */
interface Field {
  name: string;
  type: "string" | "bytes" | "boolean" | "integer" | { message: Message };
  /** A list of values, or a map from text to values. */
  many?: "list" | "map";
}

type Message = Readonly<Record<number, Field>>;

const map = (name: string, type: "string" | "bytes" = "string"): Field => ({ name, type, many: "map" });
const text = (name: string): Field => ({ name, type: "string" });
const part = (name: string, message: Message): Field => ({ name, type: { message } });

const metadata = part("metadata", {
  1: text("name"),
  2: text("generateName"),
  3: text("namespace"),
  5: text("uid"),
  6: text("resourceVersion"),
  11: map("labels"),
  12: map("annotations"),
  14: { name: "finalizers", type: "string", many: "list" },
});

const immutable = (number: number): Message => ({ [number]: { name: "immutable", type: "boolean" } });

const MESSAGES: Readonly<Record<string, Message>> = {
  ConfigMap: { 1: metadata, 2: map("data"), 3: map("binaryData", "bytes"), ...immutable(4) },
  Namespace: { 1: metadata },
  Secret: { 1: metadata, 2: map("data", "bytes"), 3: text("type"), 4: map("stringData"), ...immutable(5) },
  ServiceAccount: { 1: metadata },
};

const MAGIC = Buffer.from("k8s\0");
const ENVELOPE: Message = {
  1: part("typeMeta", { 1: text("apiVersion"), 2: text("kind") }),
  2: { name: "raw", type: "bytes" },
};

/** Reads an object in Kubernetes' protobuf form; undefined when it is none, or of a kind that is not read here. */
export function decodeProtobuf(body: Buffer): JsonObject | undefined {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const { typeMeta, raw } = decodeMessage(body.subarray(MAGIC.length), ENVELOPE) as {
    typeMeta?: { apiVersion?: string; kind?: string };
    raw?: string;
  };
  const message = MESSAGES[typeMeta?.kind ?? ""];
  if (message === undefined || raw === undefined) return undefined;
  return { ...typeMeta, ...decodeMessage(Buffer.from(raw, "base64"), message) };
}

function decodeMessage(bytes: Buffer, message: Message): JsonObject {
  const result: JsonObject = {};
  for (const { number, value } of readFields(bytes)) {
    const field = message[number];
    // Go writes empty texts where there is nothing to say.
    const isEmpty = field?.type === "string" && typeof value !== "number" && value.length === 0;
    if (field !== undefined && !isEmpty) add(result, field, value);
  }
  return result;
}

function add(result: JsonObject, field: Field, value: Buffer | number): void {
  const { name, many } = field;
  if (many === "list") result[name] = [...[result[name] ?? []].flat(), decodeValue(field, value)];
  else if (many === "map" && typeof value !== "number") {
    const entry = decodeMessage(value, { 1: text("key"), 2: { name: "value", type: field.type } });
    result[name] = { ...Object(result[name]), [String(entry["key"])]: entry["value"] ?? "" };
  } else result[name] = decodeValue(field, value);
}

function decodeValue({ type }: Field, value: Buffer | number): unknown {
  if (typeof value === "number") return type === "boolean" ? value !== 0 : value;
  if (type === "bytes") return value.toString("base64");
  return typeof type === "object" ? decodeMessage(value, type.message) : value.toString("utf8");
}

interface WireField {
  number: number;
  value: Buffer | number;
}

/** The fields of a message as they come: numbers (varints) and lengths of bytes; Kubernetes has no others. */
function readFields(bytes: Buffer): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 1; at < bytes.length; shift *= 128) {
      const byte = bytes.readUInt8(at);
      at += 1;
      value += (byte & 127) * shift;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const tag = readVarint();
    const number = Math.floor(tag / 8);
    if (tag % 8 === 0) fields.push({ number, value: readVarint() });
    else if (tag % 8 === 2) {
      const length = readVarint();
      fields.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    } else break;
  }
  return fields;
}
