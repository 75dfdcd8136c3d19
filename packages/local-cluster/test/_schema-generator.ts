import * as models from "@kubernetes/client-node";

interface Attribute {
  baseName: string;
  type: string;
  format: string;
}

const SCALARS: Record<string, string> = {
  boolean: "boolean",
  any: "any",
  Date: "time",
  IntOrString: "intOrString",
  V1MicroTime: "microTime",
};

/** Fields whose text is an amount: the models call it a string, but a number is taken too. */
const QUANTITIES = ["limits", "requests", "capacity", "allocatable", "allocatedResources", "sizeLimit", "divisor"];

/**
 * The fields of some Kubernetes types and of all that they hold, from the client's models, as JSON with a line per type:
 * `"V1Secret":{"data":"{bytes}","immutable":"boolean",…}`; `[T]` is a list, `{T}` a map.
 */
export function generateSchema(roots: readonly string[]): string {
  const types = new Map<string, Record<string, string>>();
  const pending = [...roots];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (types.has(name)) continue;
    const fields = Object.fromEntries(attributesOf(name).map((field) => [field.baseName, typeOf(field)]));
    types.set(name, fields);
    pending.push(...Object.values(fields).flatMap((type) => /[A-Z]\w*\d\w*/.exec(type)?.[0] ?? []));
  }
  const lines = [...types.keys()]
    .sort((one, other) => (one < other ? -1 : 1))
    .map((name) => `${JSON.stringify(name)}:${JSON.stringify(types.get(name))}`);
  return `{\n${lines.join(",\n")}\n}\n`;
}

function attributesOf(name: string): Attribute[] {
  const model: unknown = Reflect.get(models, name);
  if (typeof model !== "function") throw new Error(`the client has no model ${name}`);
  return Reflect.get(model, "attributeTypeMap");
}

function typeOf({ baseName, type, format }: Attribute): string {
  const item = /^Array<(.*)>$/.exec(type)?.[1];
  if (item !== undefined) return `[${typeOf({ baseName, type: item, format })}]`;
  const value = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (value !== undefined) return `{${typeOf({ baseName, type: value, format })}}`;
  if (type === "string") return QUANTITIES.includes(baseName) ? "quantity" : format === "byte" ? "bytes" : "string";
  if (type === "number") return format;
  return SCALARS[type] ?? type;
}
