import type { ClientPolicy, IngressRules, PathRule, SecretRef } from "./ingress-rules.ts";

/** All that the Ingresses of one host say together. */
export interface VirtualHost {
  name: string;
  /** In the order in which they are tried. */
  rules: PathRule[];
  usesPatterns: boolean;
  /** Set when any Ingress of the host asks for client certificates; then the whole host does. */
  clientPolicy?: ClientPolicy;
  certificate?: SecretRef;
}

/**
 * Merges Ingresses, given oldest first, into hosts as ingress-nginx does: of two that say different things about one
 * host or path, the older is heard; client verification, though, can only be added to.
 */
export function buildVirtualHosts(ingresses: readonly IngressRules[]): Map<string, VirtualHost> {
  const hosts = new Map<string, VirtualHost>();
  for (const ingress of ingresses) {
    for (const { host: name, rule } of ingress.paths) {
      const host = hosts.get(name) ?? { name, rules: [], usesPatterns: false };
      hosts.set(name, host);
      host.rules.push(rule);
    }
    for (const name of new Set(ingress.paths.map((path) => path.host))) {
      const host = hosts.get(name);
      if (host !== undefined) addHostSettings(host, ingress);
    }
  }
  for (const host of hosts.values()) host.rules.sort(byLengthThenPath);
  return hosts;
}

function addHostSettings(host: VirtualHost, ingress: IngressRules): void {
  host.usesPatterns ||= ingress.usesPatterns;
  const certificate = ingress.certificates.find(({ hosts }) => hosts.some((name) => coversHost(name, host.name)));
  if (host.certificate === undefined && certificate !== undefined) host.certificate = certificate.secret;
  const asked = ingress.clientPolicy;
  if (asked === undefined) return;
  const mode = host.clientPolicy?.mode === "on" ? "on" : asked.mode;
  host.clientPolicy = { ...(host.clientPolicy ?? asked), mode };
}

function byLengthThenPath(a: PathRule, b: PathRule): number {
  return b.path.length - a.path.length || (a.path < b.path ? 1 : a.path > b.path ? -1 : 0);
}

function coversHost(pattern: string, name: string): boolean {
  return pattern === name || (pattern.startsWith("*.") && pattern.slice(1) === name.slice(name.indexOf(".")));
}

/** The host of that name, or else the wildcard host above it, or else the host of rules that name none. */
export function findVirtualHost(hosts: ReadonlyMap<string, VirtualHost>, name: string): VirtualHost | undefined {
  const lower = name.toLowerCase().replace(/\.$/, "");
  return hosts.get(lower) ?? hosts.get(`*${lower.slice(lower.indexOf("."))}`) ?? hosts.get("");
}

/** Finds the rule for a normalised path. */
export function findRule(host: VirtualHost, path: string): PathRule | undefined {
  if (host.usesPatterns) return host.rules.find((rule) => rule.pattern?.test(path));
  const exact = host.rules.find((rule) => rule.pathType !== "ImplementationSpecific" && withoutSlash(rule) === path);
  return exact ?? host.rules.find((rule) => rule.pathType !== "Exact" && isPrefix(rule, path));
}

function withoutSlash({ path, pathType }: PathRule): string {
  return pathType === "Prefix" && path !== "/" ? path.replace(/\/$/, "") : path;
}

function isPrefix(rule: PathRule, path: string): boolean {
  if (rule.pathType === "ImplementationSpecific") return path.startsWith(rule.path);
  return path.startsWith(`${rule.path.replace(/\/$/, "")}/`);
}

/**
 * The decoded path that the upstream is asked for; undefined when groups of the match and the rewrite make a `.` or `..`
 * segment together, by which a request would leave what the rewrite is meant to yield.
 */
export function upstreamPath(rule: PathRule, path: string, verdict: string): string | undefined {
  const match = rule.rewrite === undefined ? null : rule.pattern?.exec(path);
  const substitute = (_: string, group?: string): string => (group ? (match?.[Number(group)] ?? "") : verdict);
  const rewritten = match ? rule.rewrite?.replace(/\$(?:(\d)|ssl_client_verify)/g, substitute) : path;
  const escapes = rewritten?.split("/").some((segment) => segment === "." || segment === "..");
  return escapes ? undefined : rewritten;
}
