import { randomBytes } from "node:crypto";

/** Headers that speak of one connection and not of what is carried over it. */
const HOP_BY_HOP = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"],
]);

/** Headers that a client may not send past the edge: it writes them itself, or they invite confusion (`Proxy`). */
const OWNED = new Set([
  ...["host", "content-length", "expect", "proxy", "x-request-id", "x-real-ip", "x-scheme"],
  ...["x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-forwarded-scheme"],
]);

/** The edge's own words about a request. */
export interface RequestFacts {
  host: string;
  clientAddress: string;
  port: number;
  /** Undefined when the request has no body. */
  bodyBytes: number | undefined;
  /** `ssl-client-…` headers; those without a value are left out. */
  certificate: Record<string, string | undefined>;
}

type RawHeaders = readonly string[];

/**
 * The headers of the request to the upstream, as a flat list of names and values: the client's, without those that are
 * about its connection, that are the edge's to write (`ssl-client-…`, `X-Forwarded-…`) in any spelling, or that have
 * other characters in their name than letters, digits and dashes; then the edge's own.
 */
export function buildUpstreamHeaders(received: RawHeaders, facts: RequestFacts): string[] {
  const own: Record<string, string | undefined> = {
    Host: facts.host,
    Connection: "close",
    "Content-Length": facts.bodyBytes?.toString(),
    "X-Request-ID": randomBytes(16).toString("hex"),
    "X-Real-IP": facts.clientAddress,
    "X-Forwarded-For": facts.clientAddress,
    "X-Forwarded-Host": facts.host,
    "X-Forwarded-Port": String(facts.port),
    "X-Forwarded-Proto": "https",
    ...facts.certificate,
  };
  const isForwarded = (name: string): boolean =>
    /^[a-z0-9-]+$/.test(name) && !OWNED.has(name) && !name.startsWith("ssl-client-");
  const written = Object.entries(own).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  return [...written, ...keepHeaders(received, isForwarded)];
}

/** The headers of the upstream's answer that are meant for the client. */
export function buildClientHeaders(received: RawHeaders): string[] {
  return keepHeaders(received, () => true);
}

function keepHeaders(received: RawHeaders, isWanted: (name: string) => boolean): string[] {
  const pairs = received.flatMap((name, index): [string, string][] =>
    index % 2 === 0 ? [[name, received[index + 1] ?? ""]] : [],
  );
  const named = pairs.filter(([name]) => name.toLowerCase() === "connection").flatMap(([, value]) => value.split(","));
  const dropped = new Set([...HOP_BY_HOP, ...named.map((name) => name.trim().toLowerCase())]);
  return pairs.filter(([name]) => !dropped.has(name.toLowerCase()) && isWanted(name.toLowerCase())).flat();
}
