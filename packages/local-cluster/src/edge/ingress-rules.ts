import type { V1HTTPIngressPath, V1Ingress } from "@kubernetes/client-node";
import type { Stored, Wire } from "../cluster-api.ts";
import { Annotations } from "./annotations.ts";

const DEFAULT_BODY_BYTES = 1024 ** 2;
const DEFAULT_READ_SECONDS = 60;

export interface SecretRef {
  namespace: string;
  name: string;
}

/** What the client must show, by the `auth-tls-*` annotations. */
export interface ClientPolicy {
  mode: "on" | "optional";
  /** Holds `ca.crt`; undefined when the annotation names none that may be used, which closes the host. */
  secret?: SecretRef;
  /** How many intermediate certificates may stand between the client's and the root. */
  depth: number;
  passCertificate: boolean;
}

export interface Backend {
  namespace: string;
  service: string;
  port: string | number;
}

/** One path of one Ingress. Paths, like those they are held against, have one character for each byte. */
export interface PathRule {
  path: string;
  pathType: string;
  /** The path as a start-anchored, case-insensitive pattern; undefined when it is none. */
  pattern?: RegExp;
  /**
   * What the pattern's match is replaced by, whole path included; `$1` to `$9` are its groups, `$ssl_client_verify` is
   * the verdict on the client.
   */
  rewrite?: string;
  backend: Backend;
  maxBodyBytes: number;
  readTimeoutMs: number;
}

/** What one Ingress says, before it is merged with the others of its hosts. */
export interface IngressRules {
  paths: { host: string; rule: PathRule }[];
  certificates: { hosts: string[]; secret: SecretRef }[];
  /** Turns all paths of its hosts into patterns. */
  usesPatterns: boolean;
  clientPolicy?: ClientPolicy;
}

/** Reads one Ingress; what it says wrongly is reported and left out, and never opens anything. */
export function parseIngress(ingress: Stored<V1Ingress>, warn: (problem: string) => void): IngressRules {
  const annotations = new Annotations(ingress.metadata.annotations);
  const namespace = ingress.metadata.namespace ?? "";
  const rewrite = annotations.find("rewrite-target") || undefined;
  const usesPatterns = rewrite !== undefined || annotations.isTrue("use-regex");
  const clientPolicy = parseClientPolicy(annotations, namespace);
  const common = { certificates: parseCertificates(ingress), usesPatterns, ...(clientPolicy && { clientPolicy }) };
  if (rewrite !== undefined && !/^\/(?:[^$?#]|\$\d|\$ssl_client_verify\b)*$/.test(rewrite)) {
    warn(`rewrite-target ${rewrite} is not served: it must be a path, with $1 to $9 for groups and $ssl_client_verify`);
    return { ...common, paths: [] };
  }
  const refuse = (path: string | undefined, why: string): [] => {
    warn(`path ${path ?? ""} is not served: ${why}`);
    return [];
  };
  const paths = listPaths(ingress).flatMap(({ host, path }) => {
    const rule = parsePath(path, namespace, annotations);
    if (rule === undefined) return refuse(path.path, "its backend is no Service");
    if (usesPatterns && rule.pattern === undefined) return refuse(path.path, "it is no valid pattern");
    return [{ host, rule: { ...rule, ...(rewrite !== undefined && { rewrite }) } }];
  });
  return { ...common, paths };
}

function listPaths({ spec }: Stored<V1Ingress>): { host: string; path: Wire<V1HTTPIngressPath> }[] {
  return (spec?.rules ?? []).flatMap(({ host = "", http }) =>
    (http?.paths ?? []).map((path) => ({ host: host.toLowerCase(), path })),
  );
}

function parseCertificates({ spec, metadata }: Stored<V1Ingress>): IngressRules["certificates"] {
  const ruleHosts = spec?.rules?.map(({ host = "" }) => host) ?? [];
  return (spec?.tls ?? []).flatMap(({ hosts = ruleHosts, secretName: name }) =>
    name === undefined
      ? []
      : [{ hosts: hosts.map((host) => host.toLowerCase()), secret: { namespace: metadata.namespace ?? "", name } }],
  );
}

function parsePath(from: Wire<V1HTTPIngressPath>, namespace: string, annotations: Annotations): PathRule | undefined {
  const service = from.backend.service;
  const port = service?.port?.number ?? service?.port?.name;
  if (service === undefined || port === undefined) return undefined;
  const path = Buffer.from(from.path || "/", "utf8").toString("latin1");
  const pattern = findPattern(path);
  return {
    path,
    pathType: from.pathType,
    ...(pattern && { pattern }),
    backend: { namespace, service: service.name, port },
    maxBodyBytes: annotations.bytes("proxy-body-size", DEFAULT_BODY_BYTES),
    readTimeoutMs: annotations.count("proxy-read-timeout", DEFAULT_READ_SECONDS) * 1000,
  };
}

function findPattern(path: string): RegExp | undefined {
  try {
    return new RegExp(`^${path}`, "i");
  } catch {
    return undefined;
  }
}

/** Undefined when the Ingress asks for no client certificate. Whatever is not plainly `off` or `optional` means `on`. */
function parseClientPolicy(annotations: Annotations, namespace: string): ClientPolicy | undefined {
  const reference = annotations.find("auth-tls-secret");
  const verify = annotations.find("auth-tls-verify-client");
  if (verify === "off" || (reference === undefined && verify === undefined)) return undefined;
  const [, ofNamespace, name] = /^([^/]+)\/([^/]+)$/.exec(reference ?? "") ?? [];
  return {
    mode: verify === "optional" ? "optional" : "on",
    ...(ofNamespace === namespace && name !== undefined && { secret: { namespace, name } }),
    depth: annotations.count("auth-tls-verify-depth", 1),
    passCertificate: annotations.isTrue("auth-tls-pass-certificate-to-upstream"),
  };
}
