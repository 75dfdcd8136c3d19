import { constants } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { V1Secret } from "@kubernetes/client-node";
import type { Stored } from "../cluster-api.ts";
import { type Authorities, parseAuthorities } from "./client-certificate.ts";
import type { SecretRef } from "./ingress-rules.ts";
import type { VirtualHost } from "./virtual-hosts.ts";

const CIPHERS = [
  ...["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"],
  ...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"],
  ...["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"],
  // The suite that IEEE 2030.5 makes mandatory; OpenSSL 3.5 has it at security level 0 only.
  ...["ECDHE-ECDSA-AES128-CCM8", "@SECLEVEL=0"],
].join(":");

const REVOCATION_LISTS = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g;

/** The part of the settings that is the same for every host. */
export const TLS_SETTINGS: SecureContextOptions = {
  ciphers: CIPHERS,
  minVersion: "TLSv1.2",
  honorCipherOrder: true,
  // A resumed session would bring an earlier verification with it, perhaps that of another host.
  secureOptions: constants.SSL_OP_NO_TICKET,
};

/** TLS of one host: its certificate, and whom it lets in. */
export interface HostTls {
  options: SecureContextOptions;
  context: SecureContext;
  /** Certificates that clients' chains must end in; empty when clients need none, or none can be verified. */
  authorities: Authorities;
}

interface Certificate {
  cert: string;
  key: string;
}

type FindSecret = (ref: SecretRef) => Stored<V1Secret> | undefined;

/** Makes the TLS settings of hosts out of Secrets, and keeps them until a Secret of theirs changes. */
export class TlsContexts {
  readonly #findSecret: FindSecret;
  readonly #fallback: Certificate;
  readonly #warn: (detail: object, problem: string) => void;
  readonly #authorities = new Map<string, { version: string; value: Authorities }>();
  readonly #hosts = new Map<string, { version: string; value: HostTls }>();

  constructor(findSecret: FindSecret, fallback: Certificate, warn: (detail: object, problem: string) => void) {
    this.#findSecret = findSecret;
    this.#fallback = fallback;
    this.#warn = warn;
  }

  get(host: VirtualHost): HostTls {
    const [certificate, authority] = [host.certificate, host.clientPolicy?.secret].map(
      (ref) => ref && this.#findSecret(ref),
    );
    const version = `${versionOf(certificate)} ${versionOf(authority)}`;
    const known = this.#hosts.get(host.name);
    if (known?.version === version) return known.value;
    const value = this.#build(host, certificate, authority);
    this.#hosts.set(host.name, { version, value });
    return value;
  }

  #build(
    host: VirtualHost,
    certificate: Stored<V1Secret> | undefined,
    authority: Stored<V1Secret> | undefined,
  ): HostTls {
    const authorities = authority === undefined ? [] : this.#getAuthorities(authority);
    const lists = decode(authority, "ca.crl");
    // Of several in one text only the first would be read. A text without any is passed on as it is, to be refused.
    const crl = lists === undefined ? [] : (lists.match(REVOCATION_LISTS) ?? [lists]);
    const verification = { ca: authorities.map(String), crl };
    const settings = { ...TLS_SETTINGS, ...(authorities.length > 0 && verification) };
    const [cert, key] = [decode(certificate, "tls.crt"), decode(certificate, "tls.key")];
    try {
      const options = { ...settings, cert: cert ?? this.#fallback.cert, key: key ?? this.#fallback.key };
      return { options, context: createSecureContext(options), authorities };
    } catch (error) {
      this.#warn({ host: host.name, error: String(error) }, "the host's TLS Secrets are not usable: it is closed");
      const options = { ...TLS_SETTINGS, ...this.#fallback };
      return { options, context: createSecureContext(options), authorities: [] };
    }
  }

  /** Hosts that name the same Secret share one list, so that a connection's verification is kept by it. */
  #getAuthorities(secret: Stored<V1Secret>): Authorities {
    const id = `${secret.metadata.namespace}/${secret.metadata.name}`;
    const known = this.#authorities.get(id);
    if (known?.version === versionOf(secret)) return known.value;
    let value: Authorities = [];
    try {
      value = parseAuthorities(decode(secret, "ca.crt") ?? "");
    } catch (error) {
      this.#warn({ secret: id, error: String(error) }, "ca.crt is not readable: its hosts are closed");
    }
    this.#authorities.set(id, { version: versionOf(secret), value });
    return value;
  }
}

function versionOf(secret: Stored<V1Secret> | undefined): string {
  return secret === undefined ? "-" : `${secret.metadata.uid} ${secret.metadata.resourceVersion}`;
}

function decode(secret: Stored<V1Secret> | undefined, key: string): string | undefined {
  const value = secret?.data?.[key];
  return value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8");
}
