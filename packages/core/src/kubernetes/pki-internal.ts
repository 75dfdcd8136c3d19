import { X509Certificate } from "node:crypto";
import {
  createInternalAuthorityFiles,
  INTERNAL_CLIENTS,
  type InternalPkiFiles,
  isEdgeOf,
  issueInternalFiles,
  loadPair,
} from "../pki/index.ts";
import type { Cluster } from "./cluster.ts";
import { changeSecret, findSecret, readSecretFiles, type SecretPlace } from "./secret-files.ts";

/** Where an installation keeps the certificates of the traffic between its Pods. */
export interface InternalPkiPlaces {
  readonly names: {
    /** Beside the orchestrator: the CA. */
    readonly internalCaSecret: string;
    /** Beside the instances: what the edge shows to them. */
    readonly edgeClientSecret: string;
  };
  readonly namespaces: { readonly orchestration: string; readonly execution: string };
}

export function placeInternalSecrets({
  names,
  namespaces,
}: InternalPkiPlaces): Record<keyof InternalPkiFiles, SecretPlace> {
  const type = "kubernetes.io/tls";
  return {
    internal: { namespace: namespaces.orchestration, name: names.internalCaSecret, type },
    "edge-client": { namespace: namespaces.execution, name: names.edgeClientSecret, type },
  };
}

/** @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer */
export async function readInternalPki(cluster: Cluster, places: InternalPkiPlaces): Promise<InternalPkiFiles> {
  const secrets = placeInternalSecrets(places);
  const read = async (place: SecretPlace) => readSecretFiles(await findSecret(cluster, place));
  const [internal, edgeClient] = await Promise.all([read(secrets.internal), read(secrets["edge-client"])]);
  return { internal, "edge-client": edgeClient };
}

/**
 * Sees to it that Pods can speak to each other by mutual TLS: an internal CA, and a certificate of it for the edge, which
 * lasts as long as the CA. What is there stays, but for an edge's certificate of a CA that is gone. The edge of F5 wants
 * the CA that verifies instances in a Secret of its own, `<edge's>-ca`.
 * Safe to repeat, also after it was interrupted. Returns what was made now, a sentence each.
 *
 * @throws {PkiError} when the internal CA that is there cannot be used
 * @throws {OrchestratorError} `unavailable` when the cluster refuses or does not answer
 */
export async function ensureInternalPki(
  cluster: Cluster,
  options: InternalPkiPlaces & { edge: "ingress-nginx" | "f5"; now: Date },
): Promise<string[]> {
  const { now } = options;
  const { internal, "edge-client": edgeClient } = placeInternalSecrets(options);
  const hasCa = await changeSecret(cluster, internal, async (files) =>
    files === undefined ? createInternalAuthorityFiles({ now }) : undefined,
  );
  const authority = loadPair((await readInternalPki(cluster, options)).internal ?? {}, "tls", now);
  const certificate = new X509Certificate(authority.certificatePem);
  const hasEdge = await changeSecret(cluster, edgeClient, async (files) =>
    files !== undefined && isEdgeOf(files, certificate)
      ? undefined
      : {
          ...files,
          ...(await issueInternalFiles(authority, { dnsNames: [INTERNAL_CLIENTS.edge], usage: "client", now })),
        },
  );
  const trust = { ...edgeClient, name: `${edgeClient.name}-ca`, type: "nginx.org/ca" };
  const hasTrust =
    options.edge === "f5" &&
    (await changeSecret(cluster, trust, async (files) =>
      files?.["ca.crt"] === authority.rootPem ? undefined : { "ca.crt": authority.rootPem },
    ));
  const made: [boolean, string, SecretPlace][] = [
    [hasCa, "made the internal CA", internal],
    [hasEdge, "made the edge's certificate for encrypted instances", edgeClient],
    [hasTrust, "made what the edge verifies encrypted instances by", trust],
  ];
  return made.flatMap(([isNew, what, { namespace, name }]) =>
    isNew ? [`${what} in Secret ${namespace}/${name}`] : [],
  );
}
