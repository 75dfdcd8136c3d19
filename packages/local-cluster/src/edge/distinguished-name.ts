/**
 * A name as Node prints it (one attribute or multi-valued set a line, most general first) in the form of RFC 2253 that
 * nginx puts into `ssl-client-…-dn`: the other way round, on one line, bytes beyond ASCII escaped.
 */
export function toRfc2253(name: string): string {
  return name
    .split("\n")
    .reverse()
    .map((set) => set.split(" + ").reverse().join("+"))
    .join(",")
    .replace(/[\u0080-\u{10ffff}]/gu, (character) =>
      [...Buffer.from(character, "utf8")].map((byte) => `\\${byte.toString(16).toUpperCase()}`).join(""),
    );
}
