import { beforeAll, describe, expect, test } from "vitest";
import { addRoots, inspectPki, issueServerCertificate, type PkiFiles, replaceRoots } from "../src/pki/index.ts";
import { createTestPki, type TestPki } from "./_pki.ts";

const NOW = new Date("2026-11-23T10:00:00Z");
const FQDN = "cactus.example.com";
const DAY_MS = 86_400_000;

let first: TestPki;
let second: TestPki;
let good: Awaited<ReturnType<typeof filesOf>>;

beforeAll(async () => {
  first = await createTestPki(NOW);
  second = await createTestPki(NOW, "other");
  good = await filesOf(first);
});

async function filesOf({ authority, hierarchy }: TestPki) {
  const server = await issueServerCertificate(authority, { dnsNames: [FQDN], now: NOW });
  return {
    authority: { "tls.crt": authority.chainPem, "tls.key": hierarchy.micaPrivateKeyPem },
    trust: { "ca.crt": hierarchy.sercaPem },
    server: { "tls.crt": server.certificatePem, "tls.key": server.privateKeyPem },
  };
}

function problemsOf(files: Partial<PkiFiles>, now = NOW): string[] {
  const reports = inspectPki({ ...good, ...files }, { fqdn: FQDN, now });
  return reports.flatMap(({ role, problems }) => problems.map((problem) => `${role}: ${problem}`));
}

test("what fits together has no problem; each certificate's end is told", () => {
  const reports = inspectPki(good, { fqdn: FQDN, now: NOW });
  expect(
    reports.map(({ role, notAfter, problems, certificates }) => [role, notAfter, problems, certificates.length]),
  ).toEqual([
    ["authority", new Date("2041-11-23T10:00:00Z"), [], 3],
    ["trust", new Date("2061-11-23T10:00:00Z"), [], 1],
    ["server", new Date(NOW.getTime() + 397 * DAY_MS), [], 3],
  ]);
});

describe("problems", () => {
  test.each<[string, () => Partial<PkiFiles>, (string | RegExp)[]]>([
    [
      "nothing there",
      () => ({ authority: undefined, trust: undefined, server: undefined }),
      [
        "authority: The Secret does not exist.",
        "trust: The Secret does not exist.",
        "server: The Secret does not exist.",
      ],
    ],
    [
      "no ca.crt",
      () => ({ trust: {} }),
      [
        "authority: Its root is not in ca.crt of the edge: the edge refuses the clients that it signs.",
        "trust: ca.crt is missing: no client can be verified, and ingress-nginx then asks for no certificate.",
      ],
    ],
    [
      "a leaf in ca.crt",
      () => ({ trust: { "ca.crt": good.trust["ca.crt"] + good.server["tls.crt"] } }),
      [`trust: CN=${FQDN} is not a CA.`],
    ],
    [
      "a server that sends no issuers",
      () => ({
        server: {
          ...good.server,
          "tls.crt": `${good.server["tls.crt"].split("-----END")[0]}-----END CERTIFICATE-----\n`,
        },
      }),
      ["server: Its chain leads neither to our CA nor to a public one: clients cannot verify it."],
    ],
    ["no key", () => ({ server: { ...good.server, "tls.key": "" } }), ["server: tls.key is not the key of tls.crt."]],
    [
      "a previous CA without its key",
      () => ({
        authority: { ...good.authority, "previous.crt": first.authority.chainPem },
      }),
      ["previous: previous.key must hold exactly one private key in PEM; it holds 0."],
    ],
  ])("%s", (_, files, problems) => {
    expect(problemsOf(files())).toEqual(problems);
  });

  test("time passes for each", () => {
    const years = (count: number) => new Date(NOW.getTime() + count * 365.25 * DAY_MS);
    expect(problemsOf({}, years(2))).toEqual([expect.stringMatching(/^server: CN=cactus.example.com expired at/)]);
    expect(problemsOf({}, years(36)).map((problem) => problem.split(":")[0])).toEqual([
      "authority",
      "trust",
      ...["server", "server", "server"],
    ]);
    expect(problemsOf({}, years(-1))).toContainEqual(expect.stringMatching(/^server: .* is valid only from/));
  });
});

describe("the bundle that verifies clients", () => {
  test("a root is added once, in front", () => {
    const both = addRoots(first.hierarchy.sercaPem, second.hierarchy.sercaPem);
    expect(both).toBe(second.hierarchy.sercaPem + first.hierarchy.sercaPem);
    expect(addRoots(both, first.hierarchy.sercaPem)).toBe(both);
  });

  test("a retired CA goes with its root; a root that is still needed stays; it is never empty", () => {
    const [old, other] = [first.hierarchy.sercaPem, second.hierarchy.sercaPem];
    const retire = (bundle: string, retired: TestPki, staying: TestPki) =>
      replaceRoots(bundle, { retiredPem: retired.authority.chainPem, staying: staying.authority });
    expect(retire(other + old, first, second)).toBe(other);
    expect(retire(old, first, second)).toBe(other);
    expect(retire(old, first, first)).toBe(old);
    // The retired chain need not hold its root itself.
    const { issuersPem } = first.authority;
    expect(replaceRoots(other + old, { retiredPem: issuersPem, staying: second.authority })).toBe(other);
  });

  test("what cannot be read is not thrown away", () => {
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    expect(() => addRoots(broken, first.hierarchy.sercaPem)).toThrow("ca.crt holds a certificate that cannot be read");
  });
});
