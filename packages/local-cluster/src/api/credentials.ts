import { randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { stringify } from "yaml";

const YEARS = 10;
const YEAR_MS = 365 * 24 * 3_600_000;

export interface Credentials {
  /** The server's certificate, which is its own authority. */
  cert: string;
  key: string;
  /** What callers have to show. */
  token: string;
}

/** The API server's certificate and its callers' token: made on the first start on a folder, then kept. */
export async function loadCredentials(folder: string, host: string): Promise<Credentials> {
  const file = join(folder, "api-server.json");
  if (existsSync(file)) {
    const kept: Credentials = JSON.parse(readFileSync(file, "utf8"));
    if (isStillGood(kept.cert, host)) return kept;
  }
  const made = { ...(await createCertificate(host)), token: randomBytes(32).toString("base64url") };
  mkdirSync(folder, { recursive: true });
  writeSecret(file, JSON.stringify(made));
  return made;
}

/** Writes the kubeconfig by which clients reach the server, readable by its owner only. */
export function writeKubeconfig(file: string, url: string, { cert, token }: Credentials): void {
  const name = "local-cluster";
  const authority = Buffer.from(cert).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: url, "certificate-authority-data": authority } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  };
  writeSecret(file, stringify(config));
}

/** In one step, so that nobody ever reads half a file. */
function writeSecret(file: string, text: string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, file);
}

function isStillGood(cert: string, host: string): boolean {
  const certificate = new X509Certificate(cert);
  const names = isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host);
  return names !== undefined && Date.parse(certificate.validTo) > Date.now() + YEAR_MS;
}

async function createCertificate(host: string): Promise<{ cert: string; key: string }> {
  // Needed on the first start only, and slow to load.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const names = [...new Set(["localhost", "127.0.0.1", host])];
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=local-cluster API server",
    keys,
    signingAlgorithm: algorithm,
    notAfter: new Date(Date.now() + YEARS * YEAR_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value })),
      ),
    ],
  });
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: certificate.toString("pem"), key: x509.PemConverter.encode(der, "PRIVATE KEY") };
}
