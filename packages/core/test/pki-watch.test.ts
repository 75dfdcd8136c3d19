import { afterAll, beforeAll, expect, test } from "vitest";
import { type PkiPlaces, type PkiWatch, watchPki } from "../src/kubernetes/index.ts";
import { FQDN, type PkiCluster, setFiles, startPkiCluster } from "./_pki-cluster.ts";

let pki: PkiCluster;
beforeAll(async () => {
  pki = await startPkiCluster();
});
afterAll(() => pki[Symbol.asyncDispose]());

const SOON = { timeout: 20_000, interval: 50 };

function watch({ names, namespaces }: PkiPlaces): PkiWatch {
  return watchPki(pki.cluster, { namespaces, names: { ...names, baseIngress: "base", apiIngress: "api" }, fqdn: FQDN });
}

async function setIngress(namespace: string, secretName: string, name = "base"): Promise<void> {
  const { networking } = pki.cluster;
  const body = {
    metadata: { name, namespace },
    spec: {
      tls: [
        { hosts: ["other.example.com"], secretName: "other" },
        { hosts: [FQDN], secretName },
      ],
      defaultBackend: { service: { name: "nowhere", port: { number: 80 } } },
    },
  };
  const { items } = await networking.listNamespacedIngress({ namespace });
  if (items.length === 0) await networking.createNamespacedIngress({ namespace, body });
  else await networking.replaceNamespacedIngress({ namespace, name, body });
}

test("knows what each Secret holds as it changes, and follows the base Ingress to another server Secret", async () => {
  const places = await pki.bootstrap();
  const { orchestration, execution } = places.namespaces;
  await using watched = watch(places);
  await watched.untilSynced(20_000);
  expect(watched.synced).toBe(true);
  expect(watched.files()).toEqual({
    authority: { "tls.crt": expect.any(String), "tls.key": expect.any(String) },
    trust: { "ca.crt": expect.any(String) },
    server: undefined,
  });
  expect(watched.files().authority).toBe(watched.files().authority);

  await setIngress(execution, "server");
  await expect.poll(() => Object.keys(watched.files().server ?? {}), SOON).toEqual(["tls.crt", "tls.key"]);
  await setIngress(execution, "elsewhere");
  await expect.poll(() => [watched.server?.secretName, watched.files().server], SOON).toEqual(["elsewhere", undefined]);
  const metadata = { name: "elsewhere" };
  await pki.cluster.core.createNamespacedSecret({ namespace: execution, body: { metadata, stringData: { a: "b" } } });
  await expect.poll(() => watched.files().server, SOON).toEqual({ a: "b" });

  expect([watched.api, watched.files().api]).toEqual([undefined, undefined]);
  await setIngress(orchestration, "unused", "api");
  await expect.poll(() => watched.api, SOON).toEqual({ hosts: ["other.example.com"], secretName: "other" });

  await setFiles(pki.cluster, { namespace: orchestration, name: "signer" }, { "tls.key": "garbage" });
  await expect.poll(() => watched.files().authority?.["tls.key"], SOON).toBe("garbage");
  await pki.cluster.core.deleteNamespacedSecret({ namespace: execution, name: "ca" });
  await expect.poll(() => watched.files().trust, SOON).toBeUndefined();
});

test("without an answer of the cluster nothing is known, and waiting has an end", async () => {
  const { config } = pki.cluster;
  const away = {
    ...pki.cluster,
    config,
    core: new Proxy(pki.cluster.core, { get: () => () => Promise.reject(new Error("away")) }),
  };
  const { names, namespaces } = await pki.createPlaces();
  const errors: unknown[] = [];
  const options = { namespaces, names: { ...names, baseIngress: "base", apiIngress: "api" }, fqdn: FQDN };
  await using watched = watchPki(away, { ...options, onError: (error) => errors.push(error) });
  await watched.untilAuthorityKnown(50);
  expect([watched.knowsAuthority, watched.synced]).toEqual([false, false]);
  await expect.poll(() => errors.length, SOON).toBeGreaterThan(0);
});
