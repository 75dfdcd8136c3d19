/** First and last byte, both included. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Reads a `Range` header (RFC 9110 §14.2) for a body of `size` bytes. Undefined: send the whole, as for several ranges,
 * other units and what cannot be read. "unsatisfiable": nothing of it lies in the body.
 */
export function parseByteRange(header: string | undefined, size: number): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") return toRange(Math.max(0, size - Number(last)), size - 1, size);
  const end = last === "" ? size - 1 : Number(last);
  if (end < Number(first) && last !== "") return undefined;
  return toRange(Number(first), Math.min(end, size - 1), size);
}

function toRange(start: number, end: number, size: number): ByteRange | "unsatisfiable" {
  return start >= size || end < start ? "unsatisfiable" : { start, end };
}
