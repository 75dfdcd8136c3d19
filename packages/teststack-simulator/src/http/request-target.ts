/** A request line's target, in the readings that the parts of a runner take of it. */
export interface RequestTarget {
  /** Path and query as sent. */
  readonly raw: string;
  /** The path that routes are matched with: decoded, but for `%2F` and `%25`. */
  readonly route: string;
  /** The path, decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Splits a target in origin form (`/dcap?s=0`) or absolute form (`http://host/dcap`). */
export function parseTarget(target: string): RequestTarget {
  const raw = target.replace(/^[a-z]+:\/\/[^/?#]*/i, "");
  const [, path = "", query = ""] = /^([^?#]*)(?:\?([^#]*))?/.exec(raw) ?? [];
  const route = path
    .split(/(%2f|%25)/i)
    .map((part, index) => (index % 2 === 0 ? percentDecode(part) : part))
    .join("");
  return { raw, route, path: percentDecode(path), query: new URLSearchParams(query) };
}

/** Removes the proxy's prefix as the runner does: literally, from the decoded and from the raw path. */
export function stripPrefix(target: RequestTarget, prefix: string): RequestTarget {
  const strip = (path: string): string => (path.startsWith(prefix) ? path.slice(prefix.length) : path);
  return { ...target, raw: strip(target.raw), path: strip(target.path) };
}

/** Decodes every percent-encoded byte and, unlike `decodeURIComponent`, leaves a malformed one as it is. */
export function percentDecode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll("%", ""), "hex").toString());
}
