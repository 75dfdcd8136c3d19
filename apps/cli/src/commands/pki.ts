import {
  beginRotation,
  type Cluster,
  connectCluster,
  ensureInternalPki,
  ensurePki,
  findIngress,
  findIngressTls,
  finishRotation,
  type InternalPkiPlaces,
  type PkiPlaces,
  placeInternalSecrets,
  placeSecrets,
  readInternalPki,
  readPki,
  rotateServerCertificate,
} from "@cactus/core/kubernetes";
import { inspectInternalPki, inspectPki } from "@cactus/core/pki";
import { describeReports } from "./pki-status.ts";

/** Where the certificates are; what is left out is what the Ingresses say. */
export interface PkiOptions {
  kubeconfig: string | undefined;
  orchestrationNamespace: string;
  executionNamespace: string;
  caSecret: string;
  signingSecret: string;
  internalCaSecret: string;
  edgeClientSecret: string;
  serverSecret: string | undefined;
  ingress: string;
  apiIngress: string;
  fqdn: string | undefined;
}

export interface BootstrapCommandOptions extends PkiOptions {
  organisation: string;
  ip: string[];
  edge: "ingress-nginx" | "f5";
  encryption: boolean;
}

/** What a command has to tell. */
export interface PkiOutcome {
  text: string;
  /** Something has to be mended. */
  isWrong: boolean;
}

/** The name that our manifests give to the server's Secret. */
const SERVER_SECRET = "tls-server-certificate";

/** Makes what is missing of the installation's certificates. */
export async function bootstrap(options: BootstrapCommandOptions): Promise<PkiOutcome> {
  const { organisation, ip, edge, encryption } = options;
  return withInstallation(options, async (cluster, installation) => {
    const caCertificateType = edge === "f5" ? "nginx.org/ca" : "Opaque";
    const now = new Date();
    const made = await ensurePki(cluster, {
      ...installation,
      caCertificateType,
      ipAddresses: ip,
      organisation,
      now,
    });
    if (encryption) made.push(...(await ensureInternalPki(cluster, { ...installation, edge, now })));
    return told(...(made.length === 0 ? ["Everything is there: nothing was changed."] : made));
  });
}

/** Tells each certificate, what it is for and how long it lasts, and what is wrong. */
export async function status(options: PkiOptions): Promise<PkiOutcome> {
  return withInstallation(options, async (cluster, { fqdn, apiHosts, ...places }) => {
    const now = new Date();
    const internal = await readInternalPki(cluster, places);
    const isEncrypting = Object.values(internal).some((files) => files !== undefined);
    const reports = [
      ...inspectPki(await readPki(cluster, places), { fqdn, apiHosts, now }),
      ...(isEncrypting ? inspectInternalPki(internal, now) : []),
    ];
    const isWrong = reports.some(({ problems }) => problems.length > 0);
    const secrets = { ...placeSecrets(places), ...placeInternalSecrets(places) };
    return { text: describeReports(reports, secrets, now), isWrong };
  });
}

/** Gives the server, or the API, a new certificate and key now. */
export async function rotateServer(options: PkiOptions & { api: boolean | undefined }): Promise<PkiOutcome> {
  return withInstallation(options, async (cluster, { apiHosts = [], ...installation }) => {
    await rotateServerCertificate(cluster, { ...installation, ...(options.api && { apiHosts }), now: new Date() });
    return told(`The ${options.api ? "API" : "server"} has a new certificate and key, with the names that it had.`);
  });
}

/** Replaces the signing CA, with an overlap, or ends the overlap. */
export async function rotateCa(
  options: PkiOptions & { organisation: string; finish: boolean | undefined },
): Promise<PkiOutcome> {
  return withInstallation(options, async (cluster, installation) => {
    const rotation = { ...installation, organisation: options.organisation, now: new Date() };
    if (!options.finish) return told(...BEGUN[await beginRotation(cluster, rotation)]);
    return told(...ENDED[(await finishRotation(cluster, rotation)) ? "finished" : "none"]);
  });
}

const BEGUN = {
  overlap: [
    "A new CA signs from now on. The edge lets in clients of the old one and of the new one; the certificates of server and API stay the old one's.",
    "Clients should now trust what certificates.authority says: both roots. When they do, and the last run with an old certificate",
    "has ended: cactus pki rotate-ca --finish",
  ],
  replaced: ["A new CA signs from now on. The old one could not be used any more: there is no overlap to finish."],
  none: ["A rotation overlaps already: nothing was changed. To end it: cactus pki rotate-ca --finish"],
};

const ENDED = {
  finished: [
    "The old CA is gone: the certificates of server and API are the new one's, and the edge refuses clients of the old one.",
  ],
  none: ["No rotation overlaps: nothing was changed."],
};

interface Installation extends PkiPlaces, InternalPkiPlaces {
  names: PkiPlaces["names"] & InternalPkiPlaces["names"];
  fqdn: string;
  isServerForeign: boolean;
  apiHosts: readonly string[] | undefined;
  isApiForeign: boolean;
}

async function withInstallation(
  options: PkiOptions,
  act: (cluster: Cluster, installation: Installation) => Promise<PkiOutcome>,
): Promise<PkiOutcome> {
  const { kubeconfig } = options;
  await using cluster = connectCluster(kubeconfig === undefined ? {} : { kubeconfig });
  const outcome = await act(cluster, await locate(cluster, options));
  return { ...outcome, text: `cluster ${cluster.server}\n${outcome.text}` };
}

async function locate(cluster: Cluster, options: PkiOptions): Promise<Installation> {
  const namespace = options.executionNamespace;
  const ingress = await findIngress(cluster, { namespace, name: options.ingress });
  const apiIngress = await findIngress(cluster, {
    namespace: options.orchestrationNamespace,
    name: options.apiIngress,
  });
  const api = findIngressTls(apiIngress);
  const fqdn = options.fqdn ?? ingress?.spec?.tls?.[0]?.hosts?.[0];
  if (fqdn === undefined) {
    throw new Error(`Ingress ${namespace}/${options.ingress} names no host: give --fqdn, or set TEST_EXECUTION_FQDN.`);
  }
  return {
    fqdn,
    isServerForeign: isCertManagers(ingress),
    apiHosts: api?.hosts,
    isApiForeign: isCertManagers(apiIngress),
    names: {
      caCertificateSecret: options.caSecret,
      caKeyPairSecret: options.signingSecret,
      internalCaSecret: options.internalCaSecret,
      edgeClientSecret: options.edgeClientSecret,
      serverSecret: options.serverSecret ?? findIngressTls(ingress, fqdn)?.secretName ?? SERVER_SECRET,
      apiSecret: api?.secretName,
    },
    namespaces: { orchestration: options.orchestrationNamespace, execution: namespace },
  };
}

/** Whether cert-manager makes what the Ingress shows. */
function isCertManagers(ingress: Awaited<ReturnType<typeof findIngress>>): boolean {
  return Object.keys(ingress?.metadata?.annotations ?? {}).some((key) =>
    /^cert-manager\.io\/(cluster-)?issuer$/.test(key),
  );
}

function told(...lines: string[]): PkiOutcome {
  return { text: lines.join("\n"), isWrong: false };
}
