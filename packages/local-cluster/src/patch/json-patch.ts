import { isDeepStrictEqual } from "node:util";
import { isObject } from "../json.ts";

/** An operation that cannot be done on this document. */
export class PatchError extends Error {
  override readonly name = "PatchError";
}

export interface PatchOperation {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

/**
 * Applies a JSON Patch (RFC 6902): all operations or, when one fails, none.
 *
 * @throws {PatchError} when an operation fails
 */
export function jsonPatch(document: unknown, operations: readonly PatchOperation[]): unknown {
  const holder = { "": structuredClone(document) };
  for (const operation of operations) {
    const perform = performers[operation.op];
    if (perform === undefined) throw new PatchError(`unexpected operation ${operation.op}`);
    perform(holder, operation);
  }
  return holder[""];
}

const performers: Record<string, (holder: object, operation: PatchOperation) => void> = {
  add: (holder, { path, value }) => add(find(holder, path), value),
  remove: (holder, { path }) => remove(find(holder, path)),
  replace(holder, { path, value }) {
    remove(find(holder, path));
    add(find(holder, path), value);
  },
  move(holder, { from = "", path }) {
    const moved = read(find(holder, from));
    remove(find(holder, from));
    add(find(holder, path), moved);
  },
  copy: (holder, { from = "", path }) => add(find(holder, path), structuredClone(read(find(holder, from)))),
  test(holder, { path, value }) {
    if (!isDeepStrictEqual(read(find(holder, path)), value)) throw new PatchError(`test of ${path} failed`);
  },
};

interface Pointed {
  parent: unknown;
  key: string;
}

/** Finds what holds the value that a JSON pointer (RFC 6901) names. */
function find(holder: object, pointer: string): Pointed {
  let parent: unknown = holder;
  let key = "";
  if (pointer !== "" && !pointer.startsWith("/")) throw new PatchError(`not a pointer: ${pointer}`);
  for (const step of pointer.split("/").slice(1)) {
    parent = read({ parent, key });
    key = step.replaceAll("~1", "/").replaceAll("~0", "~");
  }
  return { parent, key };
}

function read({ parent, key }: Pointed): unknown {
  if (Array.isArray(parent)) return parent[indexIn(parent, key, parent.length - 1)];
  if (isObject(parent) && Object.hasOwn(parent, key)) return parent[key];
  throw new PatchError(`there is no ${key}`);
}

function add({ parent, key }: Pointed, value: unknown): void {
  if (Array.isArray(parent)) parent.splice(key === "-" ? parent.length : indexIn(parent, key, parent.length), 0, value);
  else if (isObject(parent)) parent[key] = value;
  else throw new PatchError(`nothing can hold ${key}`);
}

function remove({ parent, key }: Pointed): void {
  read({ parent, key });
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else if (isObject(parent)) delete parent[key];
}

function indexIn(list: unknown[], key: string, last: number): number {
  if (!/^(0|[1-9]\d*)$/.test(key) || Number(key) > last) throw new PatchError(`no index ${key} of ${list.length}`);
  return Number(key);
}
