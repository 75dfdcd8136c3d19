/** What a request line asks for, read once and in one way, so that no later step can read it in another. */
export interface RequestTarget {
  /** Host and port of an absolute-form target; it takes the place of the Host header. */
  authority?: string;
  /** Decoded and normalised; one character is one byte. Starts with `/`, has no empty, `.` or `..` segment. */
  path: string;
  /** As sent, without `?` and fragment. */
  query: string;
}

const SHAPE = /^(?:[a-z][a-z0-9+.-]*:\/\/(?<authority>[^/?#]*))?(?<path>[^?#]*)(?:\?(?<query>[^#]*))?/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const CONTROL = /[\u0000-\u001f\u007f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const UNSAFE_IN_PATH = /[\u0000-\u0020"#%<>?\\^`{|}\u007f-\u00ff]/g;

/**
 * Reads a request target as nginx does: percent-decoded once (an encoded slash or dot counts as one), slashes merged,
 * dot segments resolved. Undefined for what is answered with 400: a broken escape, a control character, a path that
 * climbs out of the root, or a form that is no path.
 */
export function parseRequestTarget(target: string): RequestTarget | undefined {
  const { authority, path = "", query = "" } = SHAPE.exec(target)?.groups ?? {};
  const absolute = authority !== undefined && path === "" ? "/" : path;
  if (!absolute.startsWith("/") || /%(?![0-9a-f]{2})/i.test(absolute)) return undefined;
  const decoded = absolute.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  if (CONTROL.test(decoded)) return undefined;
  const normalised = normalisePath(decoded);
  if (normalised === undefined) return undefined;
  return { ...(authority !== undefined && { authority }), path: normalised, query };
}

/** Merges slashes and resolves `.` and `..`; undefined when that leads out of the root. */
function normalisePath(path: string): string | undefined {
  const segments = path.split("/").slice(1);
  const last = segments.at(-1) ?? "";
  const kept: string[] = [];
  for (const segment of segments) {
    if (segment === "..") {
      if (kept.pop() === undefined) return undefined;
    } else if (segment !== "" && segment !== ".") {
      kept.push(segment);
    }
  }
  const open = kept.length > 0 && ["", ".", ".."].includes(last) ? "/" : "";
  return `/${kept.join("/")}${open}`;
}

/** Percent-encodes a decoded path as nginx does for the upstream request. */
export function escapePath(path: string): string {
  return path.replace(
    UNSAFE_IN_PATH,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
