import { isObject, type JsonObject } from "../json.ts";
import { fieldType } from "../schema/decode.ts";
import { mergeKeys } from "./merge-keys.ts";

const DIRECTIVE = "$patch";
const RETAIN = "$retainKeys";
const ORDER = "$setElementOrder/";
const DELETE_FROM = "$deleteFromPrimitiveList/";

/**
 * Applies a strategic merge patch: a merge patch that knows the types, so that lists with a merge key are merged item by
 * item, and that obeys the directives `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…`.
 */
export function strategicMerge(model: string, target: unknown, patch: JsonObject): JsonObject {
  const { [DIRECTIVE]: directive, [RETAIN]: retained, ...fields } = patch;
  if (directive === "delete") return {};
  const kept = directive === "replace" || !isObject(target) ? {} : { ...target };
  if (Array.isArray(retained)) {
    for (const field of Object.keys(kept)) if (!retained.includes(field)) delete kept[field];
  }
  for (const [name, value] of Object.entries(fields)) mergeField(model, kept, patch, { name, value });
  return kept;
}

function mergeField(
  model: string,
  target: JsonObject,
  patch: JsonObject,
  { name, value }: { name: string; value: unknown },
): void {
  if (name.startsWith(ORDER)) {
    const field = name.slice(ORDER.length);
    // Beside a patch of the list itself, the order is that patch's affair.
    const before = listOf(target[field]);
    const options = { before, key: keyOf(model, field) ?? "" };
    if (!(field in patch)) setList(target, field, inOrder(before, listOf(value), options));
  } else if (name.startsWith(DELETE_FROM)) {
    const field = name.slice(DELETE_FROM.length);
    const gone = listOf(value);
    setList(
      target,
      field,
      listOf(target[field]).filter((item) => !gone.includes(item)),
    );
  } else if (value === null) delete target[name];
  else if (isObject(value)) target[name] = strategicMerge(typeOf(model, name), target[name], value);
  else if (Array.isArray(value) && keyOf(model, name) !== undefined) {
    const before = listOf(target[name]);
    const merged = mergeList(model, name, before, value);
    const order = listOf(patch[ORDER + name] ?? value);
    setList(target, name, inOrder(merged, order, { before, key: keyOf(model, name) ?? "" }));
  } else target[name] = value;
}

function mergeList(model: string, field: string, target: unknown[], patch: unknown[]): unknown[] {
  const key = keyOf(model, field);
  if (key === undefined || key === "") return [...new Set([...target, ...patch])];
  const directives = patch.filter(isObject);
  const replaces = directives.some((item) => item[DIRECTIVE] === "replace" && !(key in item));
  if (replaces) return directives.filter((item) => !(DIRECTIVE in item));
  const result = [...target];
  for (const item of directives) mergeItem(itemType(model, field), key, result, item);
  return result;
}

function mergeItem(model: string, key: string, list: unknown[], item: JsonObject): void {
  const found = list.findIndex((other) => isObject(other) && other[key] === item[key]);
  const index = found < 0 ? list.length : found;
  if (item[DIRECTIVE] === "delete") list.splice(index, 1);
  else list[index] = strategicMerge(model, list[index], item);
}

/**
 * Puts the items that an order names into that order. The others keep their own, and each comes before the first named
 * one that it stood before; so what is new comes first, as with the real server.
 */
function inOrder(
  list: unknown[],
  order: readonly unknown[],
  { before, key }: { before: unknown[]; key: string },
): unknown[] {
  const identityOf = (item: unknown): unknown => (key !== "" && isObject(item) ? item[key] : item);
  const rankIn = (items: readonly unknown[], item: unknown): number => items.map(identityOf).indexOf(identityOf(item));
  const named = list.filter((item) => rankIn(order, item) >= 0);
  named.sort((one, other) => rankIn(order, one) - rankIn(order, other));
  const others = list.filter((item) => rankIn(order, item) < 0);
  const result: unknown[] = [];
  for (const item of named) {
    const rank = rankIn(before, item);
    while (others.length > 0 && rankIn(before, others[0]) < rank) result.push(others.shift());
    result.push(item);
  }
  return [...result, ...others];
}

function setList(target: JsonObject, field: string, list: unknown[]): void {
  if (list.length > 0) target[field] = list;
  else delete target[field];
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function keyOf(model: string, field: string): string | undefined {
  return mergeKeys[`${model}.${field}`];
}

function typeOf(model: string, field: string): string {
  return fieldType(model, field) ?? "any";
}

function itemType(model: string, field: string): string {
  return typeOf(model, field).slice(1, -1);
}
