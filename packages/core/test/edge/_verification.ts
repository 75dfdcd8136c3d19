import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { createRootAuthority } from "../../../local-cluster/test/_certificates.ts";
import { CLIENTS, issueFor } from "./_clients.ts";
import { SOON } from "./_echo.ts";
import { CA_SECRET, type EdgeHost, type EdgeUnderTest, NOBODY, openHost } from "./_host.ts";

export function describeVerification(edge: () => EdgeUnderTest): void {
  describe("who gets in", () => {
    let host: EdgeHost;

    beforeAll(async () => {
      host = await openHost(edge());
      await host.addInstance("run-1");
      await host.untilServed("run-1");
      return () => host[Symbol.asyncDispose]();
    });

    test.each(Object.entries(CLIENTS))("%s", async (_, [isLetIn, connect]) => {
      const { status, seen } = await host.get("/run-1/dcap", [], await connect(issueFor(host), host));
      expect({ status, instance: seen?.instance }).toEqual(
        isLetIn ? { status: 200, instance: "run-1" } : { status: 400, instance: undefined },
      );
    });

    test("the instance is told who it is", async () => {
      const { chain, key } = await issueFor(host)();
      const { seen } = await host.get("/run-1/dcap", [], { cert: chain.join(""), key });
      const headers = readHeaders(seen?.rawHeaders ?? []);
      expect(decodeURIComponent(headers["ssl-client-cert"]?.[0] ?? "")).toBe(
        new X509Certificate(chain[0] ?? "").toString(),
      );
      expect(headers["ssl-client-verify"]).toEqual(["SUCCESS"]);
    });

    test("nobody tells an instance that they are somebody else", async () => {
      const forged = [
        ...[
          "ssl-client-cert: forged",
          "ssl-client-cert: forged again",
          "SSL-Client-Cert: forged",
          "Ssl-Client-Verify: forged",
        ],
        ...["ssl-client-subject-dn: CN=forged", "ssl-client-issuer-dn: CN=forged"],
        ...["ssl_client_cert: forged", "ssl-client_cert: forged", "SSL_CLIENT_VERIFY: forged"],
        ...["x-forwarded-for: forged", "x-real-ip: forged", "x-forwarded-proto: forged"],
        "Connection: close, ssl-client-cert",
      ];
      const { seen } = await host.get("/run-1/dcap", forged);
      expect(seen?.instance).toBe("run-1");
      const headers = readHeaders(seen?.rawHeaders ?? []);
      expect(headers["ssl-client-cert"]).toEqual([expect.stringMatching(/^-----BEGIN%20CERTIFICATE-----%0A/)]);
      expect(headers["ssl-client-verify"]).toEqual(["SUCCESS"]);
      const own = Object.entries(headers).filter(([name]) =>
        /^(ssl|x-forwarded-for|x-real-ip|x-forwarded-proto)/.test(name),
      );
      expect(JSON.stringify(own)).not.toContain("forged");
    });

    test.each([
      ["another host", (name: string) => `other.${name}`],
      ["a spelling of the host", (name: string) => `${name.toUpperCase()}`],
      ["the host with a port", (name: string) => `${name}:443`],
      ["no name at all", () => ""],
    ])("a Host header with %s opens nothing to nobody", async (_, spell) => {
      const request = `GET /run-1/dcap HTTP/1.1\r\nHost: ${spell(host.host)}\r\nConnection: close\r\n\r\n`;
      for (const servername of [host.host, "", `other.${host.host}`]) {
        expect(await host.send(request, { ...NOBODY, servername })).toMatchObject({ seen: undefined });
      }
    });
  });

  test("a revoked certificate is refused, others are not", async () => {
    await using host = await openHost(edge());
    await host.addInstance("run-1");
    const root = await createRootAuthority("SERCA");
    const mca = await root.createAuthority("MCA");
    const mica = await mca.createAuthority("MICA");
    const [good, bad] = [await mica.issueDevice(), await mica.issueDevice()];
    const as = ({ certificatePem, keyPem }: typeof good) => ({
      cert: certificatePem + mica.certificatePem + mca.certificatePem,
      key: keyPem,
    });
    const statuses = async () =>
      Promise.all([good, bad].map(async (device) => (await host.get("/run-1/x", [], as(device))).status));
    await host.setSecret(CA_SECRET, { "ca.crt": root.certificatePem });
    await expect.poll(statuses, SOON).toEqual([200, 200]);
    const lists = await Promise.all([root.revoke([]), mca.revoke([]), mica.revoke([bad])]);
    await host.setSecret(CA_SECRET, { "ca.crt": root.certificatePem, "ca.crl": lists.join("") });
    await expect.poll(statuses, SOON).toEqual([200, 400]);
  });
}

function readHeaders(raw: string[]): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]?.toLowerCase() ?? "";
    headers[name] = [...(headers[name] ?? []), raw[index + 1] ?? ""];
  }
  return headers;
}
