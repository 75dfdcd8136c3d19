import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  beginRotation,
  type Cluster,
  finishRotation,
  type PkiPlaces,
  renewServerCertificate,
  rotateServerCertificate,
} from "../src/kubernetes/index.ts";
import { inspectPki, issueServerCertificate, loadInstalledAuthorities, splitPem } from "../src/pki/index.ts";
import { createTestPki } from "./_pki.ts";
import { FQDN, ORGANISATION, type PkiCluster, readAll, setFiles, startPkiCluster } from "./_pki-cluster.ts";

let pki: PkiCluster;
beforeAll(async () => {
  pki = await startPkiCluster();
});
afterAll(() => pki[Symbol.asyncDispose]());

const now = new Date();
const DAY_MS = 86_400_000;
const optionsOf = (places: PkiPlaces) => ({ ...places, fqdn: FQDN, organisation: ORGANISATION, now });
const serverOf = ({ names, namespaces }: PkiPlaces) => ({ namespace: namespaces.execution, name: names.serverSecret });
const read = (places: PkiPlaces) => readAll(pki.cluster, places);

async function problemsOf(places: PkiPlaces): Promise<string[]> {
  return inspectPki(await read(places), { fqdn: FQDN, now }).flatMap(({ problems }) => problems);
}

function rootsOf(bundle: string | undefined): string[] {
  return splitPem(bundle ?? "").map(({ pem }) => pem);
}

describe("rotation of the CA", () => {
  test("overlaps until it is finished; other roots of the edge stay", async () => {
    const places = await pki.bootstrap();
    const before = await read(places);
    const other = (await createTestPki(now, "other")).hierarchy.sercaPem;
    const { namespaces, names } = places;
    const trust = { namespace: namespaces.execution, name: names.caCertificateSecret };
    await setFiles(pki.cluster, trust, { "ca.crt": before.trust["ca.crt"] + other });

    expect(await beginRotation(pki.cluster, optionsOf(places))).toBe("overlap");
    const during = await read(places);
    const { current, previous } = loadInstalledAuthorities(during.authority, now);
    expect(previous?.chainPem).toBe(before.authority["tls.crt"]);
    expect(rootsOf(during.trust["ca.crt"])).toEqual([current.rootPem, previous?.rootPem, other]);
    expect(during.server).toEqual(before.server);
    expect(await problemsOf(places)).toEqual([]);
    expect(await beginRotation(pki.cluster, optionsOf(places))).toBe("none");
    expect(await read(places)).toEqual(during);

    // What clients trust is the old root, maybe alone: the server stays with it, also when it is renewed.
    await rotateServerCertificate(pki.cluster, optionsOf(places));
    const renewed = (await read(places)).server;
    expect(renewed["tls.key"]).not.toBe(before.server["tls.key"]);
    expect(renewed["tls.crt"]).toContain(previous?.issuersPem);

    expect(await finishRotation(pki.cluster, optionsOf(places))).toBe(true);
    const after = await read(places);
    expect(Object.keys(after.authority)).toEqual(["tls.crt", "tls.key"]);
    expect(rootsOf(after.trust["ca.crt"])).toEqual([current.rootPem, other]);
    expect(after.server["tls.crt"]).toContain(current.issuersPem);
    expect(new X509Certificate(after.server["tls.crt"] ?? "").checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(await problemsOf(places)).toEqual([]);
    expect(await finishRotation(pki.cluster, optionsOf(places))).toBe(false);
    expect(await read(places)).toEqual(after);
  });

  test("interrupted at any write, it goes on from there", async () => {
    for (const writes of [0, 1, 2]) {
      const places = await pki.bootstrap();
      await expect(beginRotation(failAfter(writes), optionsOf(places))).rejects.toThrow("Could not write");
      expect(await problemsOf(places)).toEqual([]);
      expect(await beginRotation(pki.cluster, optionsOf(places))).toBe("overlap");
      expect(rootsOf((await read(places)).trust["ca.crt"])).toHaveLength(2);
      await expect(finishRotation(failAfter(writes), optionsOf(places))).rejects.toThrow("Could not write");
      expect(await finishRotation(pki.cluster, optionsOf(places))).toBe(true);
      const { authority, trust } = await read(places);
      expect(Object.keys(authority)).toEqual(["tls.crt", "tls.key"]);
      expect(rootsOf(trust["ca.crt"])).toHaveLength(1);
      expect(await problemsOf(places)).toEqual([]);
    }
  });

  test("begun by two at once, there is one new CA", async () => {
    const places = await pki.bootstrap();
    const clusters = [pki.cluster, pki.connect(), pki.connect()];
    const outcomes = await Promise.all(clusters.map((cluster) => beginRotation(cluster, optionsOf(places))));
    expect(outcomes.filter((outcome) => outcome === "overlap")).toHaveLength(1);
    expect(rootsOf((await read(places)).trust["ca.crt"])).toHaveLength(2);
    expect(await problemsOf(places)).toEqual([]);
  });

  test("a CA that has expired is replaced at once, with its root and its server certificate", async () => {
    const places = await pki.bootstrap({ now: new Date(now.getTime() - 16 * 365 * DAY_MS) });
    expect(await problemsOf(places)).toContainEqual(expect.stringContaining("expired at"));
    const old = (await read(places)).trust["ca.crt"];
    expect(await beginRotation(pki.cluster, optionsOf(places))).toBe("replaced");
    const after = await read(places);
    expect(Object.keys(after.authority)).toEqual(["tls.crt", "tls.key"]);
    expect(after.trust["ca.crt"]).not.toContain(old);
    expect(await problemsOf(places)).toEqual([]);
  });

  test("a CA that cert-manager keeps is not ours to rotate", async () => {
    const places = await pki.bootstrap();
    const place = { namespace: places.namespaces.orchestration, name: places.names.caKeyPairSecret };
    await setFiles(pki.cluster, place, {}, { annotations: { "cert-manager.io/certificate-name": "ca" } });
    await expect(beginRotation(pki.cluster, optionsOf(places))).rejects.toThrow("is cert-manager's");
  });
});

describe("renewal of the server's certificate", () => {
  async function agedPlaces(): Promise<PkiPlaces> {
    return pki.bootstrap({ now: new Date(now.getTime() - 300 * DAY_MS) });
  }

  test("comes when two thirds of its life have passed, keeps names and Secret, and is one when several try at once", async () => {
    const places = await agedPlaces();
    const before = (await read(places)).server;
    const early = { ...optionsOf(places), now: new Date(now.getTime() - 40 * DAY_MS) };
    expect(await renewServerCertificate(pki.cluster, early)).toBe(false);
    const clusters = meetBeforeWriting([pki.cluster, pki.connect(), pki.connect()]);
    const renewals = await Promise.all(clusters.map((cluster) => renewServerCertificate(cluster, optionsOf(places))));
    expect(renewals.filter(Boolean)).toHaveLength(1);
    const after = (await read(places)).server;
    const [old, fresh] = [before, after].map((files) => new X509Certificate(files["tls.crt"] ?? ""));
    expect(after["tls.key"]).not.toBe(before["tls.key"]);
    expect(fresh?.subjectAltName).toBe(old?.subjectAltName);
    expect(fresh?.validToDate.getTime()).toBeGreaterThan(now.getTime() + 390 * DAY_MS);
    expect(await problemsOf(places)).toEqual([]);
    expect(await renewServerCertificate(pki.cluster, optionsOf(places))).toBe(false);
  });

  test("does not come when the CA ends as soon; a CA in its last day makes room for the one that replaces it", async () => {
    const lastsFor = (days: number) => {
      const start = new Date(now.getTime() + days * DAY_MS);
      start.setUTCFullYear(start.getUTCFullYear() - 15);
      return pki.bootstrap({ now: start });
    };
    const places = await lastsFor(20);
    await rotateServerCertificate(pki.cluster, optionsOf(places));
    const late = { ...optionsOf(places), now: new Date(now.getTime() + 19 * DAY_MS) };
    expect(await renewServerCertificate(pki.cluster, late)).toBe(false);
    const ending = await lastsFor(0.5);
    expect(await beginRotation(pki.cluster, optionsOf(ending))).toBe("overlap");
    expect(await renewServerCertificate(pki.cluster, optionsOf(ending))).toBe(true);
    const { authority, server } = await read(ending);
    expect(server["tls.crt"]).toContain(loadInstalledAuthorities(authority, now).current.issuersPem);
    expect(await problemsOf(ending)).toEqual([]);
  });

  test("leaves alone what another CA has signed, what cert-manager keeps, and what is not there", async () => {
    const places = await agedPlaces();
    const own = (await read(places)).server;
    const then = new Date(now.getTime() - 300 * DAY_MS);
    const other = await createTestPki(then, "other");
    const foreign = await issueServerCertificate(other.authority, { dnsNames: [FQDN], now: then });
    const files = { "tls.crt": foreign.certificatePem, "tls.key": foreign.privateKeyPem };
    await setFiles(pki.cluster, serverOf(places), files);
    expect(await renewServerCertificate(pki.cluster, optionsOf(places))).toBe(false);
    await expect(rotateServerCertificate(pki.cluster, optionsOf(places))).rejects.toThrow("another CA has signed it");
    const annotations = { "cert-manager.io/certificate-name": "server" };
    await setFiles(pki.cluster, serverOf(places), own, { annotations });
    expect(await renewServerCertificate(pki.cluster, optionsOf(places))).toBe(false);
    await expect(rotateServerCertificate(pki.cluster, optionsOf(places))).rejects.toThrow("cert-manager renews it");
    await pki.cluster.core.deleteNamespacedSecret(serverOf(places));
    expect(await renewServerCertificate(pki.cluster, optionsOf(places))).toBe(false);
  });
});

/** The same clusters, none of which writes a Secret before all want to. */
function meetBeforeWriting(clusters: Cluster[]): Cluster[] {
  let missing = clusters.length;
  const met = Promise.withResolvers<void>();
  return clusters.map((cluster) => {
    const replaceNamespacedSecret: Cluster["core"]["replaceNamespacedSecret"] = async (request) => {
      missing -= 1;
      if (missing === 0) met.resolve();
      await met.promise;
      return cluster.core.replaceNamespacedSecret(request);
    };
    return { ...cluster, core: Object.assign(Object.create(cluster.core), { replaceNamespacedSecret }) };
  });
}

/** The cluster, until so many Secrets have been written: then it answers no more. */
function failAfter(writes: number): Cluster {
  let left = writes;
  const core = new Proxy(pki.cluster.core, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key !== "replaceNamespacedSecret") return value.bind(target);
      left -= 1;
      return left < 0 ? () => Promise.reject(new Error("interrupted")) : value.bind(target);
    },
  });
  return { ...pki.cluster, core };
}
