import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalCluster } from "@cactus/local-cluster";
import { type Cluster, connectCluster, ensurePki, type PkiPlaces, readPki } from "../src/kubernetes/index.ts";
import type { PkiFiles, SecretFiles } from "../src/pki/index.ts";

export const FQDN = "cactus.example.com";
export const ORGANISATION = "CACTUS";

export interface PkiCluster extends AsyncDisposable {
  cluster: Cluster;
  /** Another connection, as of another replica or operator. */
  connect(): Cluster;
  /** Two namespaces of its own. */
  createPlaces(): Promise<PkiPlaces>;
  /** The same with certificates in them. */
  bootstrap(options?: { now?: Date; fqdn?: string }): Promise<PkiPlaces>;
}

export async function startPkiCluster(): Promise<PkiCluster> {
  await using stack = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "cactus-pki-cluster-"));
  stack.defer(() => rm(home, { recursive: true, force: true }));
  const local = stack.use(await startLocalCluster({ dataDir: home, images: {} }));
  const cluster = stack.use(connectCluster({ kubeconfig: local.kubeconfigPath }));
  let count = 0;

  async function createPlaces(): Promise<PkiPlaces> {
    count += 1;
    const namespaces = { orchestration: `orchestration-${count}`, execution: `execution-${count}` };
    for (const name of Object.values(namespaces)) await cluster.core.createNamespace({ body: { metadata: { name } } });
    return { namespaces, names: { caCertificateSecret: "ca", caKeyPairSecret: "signer", serverSecret: "server" } };
  }

  async function bootstrap({ now = new Date(), fqdn = FQDN } = {}): Promise<PkiPlaces> {
    const places = await createPlaces();
    await ensurePki(cluster, { ...places, fqdn, ipAddresses: ["127.0.0.1"], organisation: ORGANISATION, now });
    return places;
  }

  const owned = stack.move();
  return {
    cluster,
    connect: () => owned.use(connectCluster({ kubeconfig: local.kubeconfigPath })),
    createPlaces,
    bootstrap,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export async function readAll(
  cluster: Cluster,
  places: PkiPlaces,
): Promise<Required<{ [Role in keyof PkiFiles]: SecretFiles }>> {
  const { authority = {}, trust = {}, server = {}, api = {} } = await readPki(cluster, places);
  return { authority, trust, server, api };
}

/** Writes files into a Secret as an operator with kubectl does, or removes them (undefined). */
export async function setFiles(
  cluster: Cluster,
  place: { namespace: string; name: string },
  files: Record<string, string | undefined>,
  metadata: { annotations?: Record<string, string>; labels?: Record<string, string> } = {},
): Promise<void> {
  const secret = await cluster.core.readNamespacedSecret(place);
  const data: Record<string, string> = { ...secret.data };
  for (const [file, text] of Object.entries(files)) {
    if (text === undefined) delete data[file];
    else data[file] = Buffer.from(text).toString("base64");
  }
  await cluster.core.replaceNamespacedSecret({
    ...place,
    body: { ...secret, metadata: { ...secret.metadata, ...metadata }, data },
  });
}
