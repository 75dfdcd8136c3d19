import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OperatorsCluster, startOperatorsCluster } from "./_cluster.ts";

let operator: OperatorsCluster;
beforeAll(async () => {
  operator = await startOperatorsCluster();
});
afterAll(() => operator[Symbol.asyncDispose]());

const FQDN = "cactus.example.com";

async function run(tool: string, ...args: string[]): Promise<string> {
  return (await promisify(execFile)(tool, args, { cwd: operator.folder })).stdout;
}

/** Takes a file out of a Secret, as an operator does, into the folder. */
async function fetchFile(namespace: string, secret: string, file: string): Promise<string> {
  const path = `jsonpath={.data.${file.replace(".", "\\.")}}`;
  const base64 = await run(
    "kubectl",
    "--kubeconfig",
    operator.kubeconfig,
    "-n",
    namespace,
    "get",
    "secret",
    secret,
    "-o",
    path,
  );
  const name = `${secret}.${file}`;
  await writeFile(join(operator.folder, name), Buffer.from(base64, "base64"));
  return name;
}

async function pki(...args: string[]): Promise<void> {
  const { code, output } = await operator.cactus("pki", ...args, "--fqdn", FQDN);
  expect([args, code, output]).toEqual([args, 0, expect.any(String)]);
}

/** What OpenSSL says of the Secrets as they are now. */
async function verify(): Promise<{ signer: string; server: string; pairs: boolean }> {
  const trust = await fetchFile("test-execution", "tls-ca-certificate", "ca.crt");
  const pairs = [
    ["test-orchestration", "tls-ca-cert-key-pair"],
    ["test-execution", "tls-server-certificate"],
  ] as const;
  const publicKeys = await Promise.all(
    pairs.map(async ([namespace, secret]) => {
      const [certificate, key] = [
        await fetchFile(namespace, secret, "tls.crt"),
        await fetchFile(namespace, secret, "tls.key"),
      ];
      return [
        await run("openssl", "x509", "-in", certificate, "-noout", "-pubkey"),
        await run("openssl", "pkey", "-in", key, "-pubout"),
      ];
    }),
  );
  const [signer, server] = pairs.map(([, secret]) => `${secret}.tls.crt`) as [string, string];
  const chain = (file: string) => ["-x509_strict", "-CAfile", trust, "-untrusted", file];
  return {
    signer: await run("openssl", "verify", ...chain(signer), signer),
    server: await run("openssl", "verify", ...chain(server), "-purpose", "sslserver", "-verify_hostname", FQDN, server),
    pairs: publicKeys.every(([ofCertificate, ofKey]) => ofCertificate === ofKey),
  };
}

const VERIFIED = {
  signer: "tls-ca-cert-key-pair.tls.crt: OK\n",
  server: "tls-server-certificate.tls.crt: OK\n",
  pairs: true,
};

test("OpenSSL verifies what kubectl reads out of the Secrets, before, while and after a rotation overlaps", async () => {
  await pki("bootstrap");
  expect(await verify()).toEqual(VERIFIED);
  const oldSigner = await operator.files("test-orchestration", "tls-ca-cert-key-pair");
  await writeFile(join(operator.folder, "old-signer.crt"), oldSigner["tls.crt"] ?? "");
  const verifyOld = () =>
    run("openssl", "verify", "-CAfile", "tls-ca-certificate.ca.crt", "-untrusted", "old-signer.crt", "old-signer.crt");

  await pki("rotate-server");
  expect(await verify()).toEqual(VERIFIED);
  await pki("rotate-ca");
  expect(await verify()).toEqual(VERIFIED);
  expect(await verifyOld()).toBe("old-signer.crt: OK\n");
  const newSigner = await operator.files("test-orchestration", "tls-ca-cert-key-pair");
  expect(newSigner["previous.crt"]).toBe(oldSigner["tls.crt"]);

  await pki("rotate-ca", "--finish");
  expect(await verify()).toEqual(VERIFIED);
  await expect(verifyOld()).rejects.toThrow("verification failed");
});
