import { loadAuthority } from "./authority.ts";
import { createHierarchy } from "./hierarchy.ts";
import { issueServerCertificate } from "./server-certificate.ts";

export interface BootstrapOptions {
  /** Public name of the test instances. */
  readonly fqdn: string;
  /** Addresses under which they are reached without a name, as on a laptop. */
  readonly ipAddresses?: readonly string[];
  readonly organisation: string;
  readonly now: Date;
  readonly names: { caCertificateSecret: string; caKeyPairSecret: string; serverSecret: string };
  readonly namespaces: { orchestration: string; execution: string };
}

/** A Kubernetes Secret as the API takes it. */
export interface SecretManifest {
  readonly apiVersion: "v1";
  readonly kind: "Secret";
  readonly metadata: { name: string; namespace: string; labels: Record<string, string> };
  readonly type: "Opaque" | "kubernetes.io/tls";
  /** Base64. */
  readonly data: Record<string, string>;
}

/**
 * Makes a new hierarchy and the three Secrets that a new installation needs of it:
 *
 * - what verifies clients, beside the Ingress: `ca.crt` is the SERCA alone, so that a client has to send its issuers, as a
 *   utility's server demands;
 * - what signs them, beside the orchestrator: MICA, MCA and SERCA, and the MICA's key;
 * - the server's certificate, beside the Ingress.
 *
 * Nothing is applied. Apply them only where they are missing: each call makes other keys.
 *
 * @throws {PkiError} invalid_input
 */
export async function bootstrapSecrets(options: BootstrapOptions): Promise<SecretManifest[]> {
  const { fqdn, ipAddresses, organisation, now, names, namespaces } = options;
  const { sercaPem, mcaPem, micaPem, micaPrivateKeyPem } = await createHierarchy({ organisation, now });
  const chain = micaPem + mcaPem + sercaPem;
  const authority = loadAuthority({ certificatePem: chain, privateKeyPem: micaPrivateKeyPem, now });
  const server = await issueServerCertificate(authority, { dnsNames: [fqdn], ipAddresses, now });
  return [
    buildSecret(names.caCertificateSecret, namespaces.execution, "Opaque", { "ca.crt": sercaPem }),
    buildSecret(names.caKeyPairSecret, namespaces.orchestration, "kubernetes.io/tls", {
      "tls.crt": chain,
      "tls.key": micaPrivateKeyPem,
    }),
    buildSecret(names.serverSecret, namespaces.execution, "kubernetes.io/tls", {
      "tls.crt": server.certificatePem,
      "tls.key": server.privateKeyPem,
    }),
  ];
}

function buildSecret(
  name: string,
  namespace: string,
  type: SecretManifest["type"],
  files: Record<string, string>,
): SecretManifest {
  const data = Object.fromEntries(
    Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString("base64")]),
  );
  const labels = { "app.kubernetes.io/part-of": "cactus-orchestrator" };
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace, labels }, type, data };
}
