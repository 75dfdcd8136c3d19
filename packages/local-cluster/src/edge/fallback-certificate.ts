import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const YEAR_MS = 365 * 24 * 3_600_000;

/** A self-signed certificate for hosts that have none of their own, so that TLS works and says why nothing else does. */
export async function createFallbackCertificate(): Promise<{ cert: string; key: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=local-cluster edge: no certificate for this host",
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(now - YEAR_MS),
    notAfter: new Date(now + YEAR_MS),
  });
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: certificate.toString("pem"), key: x509.PemConverter.encode(der, "PRIVATE KEY") };
}
