import { X509Certificate } from "node:crypto";
import type { TLSSocket, Server as TlsServer } from "node:tls";
import type { ClientPolicy } from "./ingress-rules.ts";

/** Certificates that clients' chains must end in, or may lead over. */
export type Authorities = readonly X509Certificate[];

/** What a client showed in its handshake. */
interface Presented {
  /** Whether OpenSSL found a valid chain (signatures, validity, extensions, purpose) to an authority of the handshake's host. */
  authorized: boolean;
  /** All certificates that were sent, the client's own first. */
  sent: readonly X509Certificate[];
  /** Chains already measured: the number of intermediates, undefined when no chain leads to those authorities. */
  depths: WeakMap<Authorities, { depth: number | undefined }>;
}

export type Verdict =
  | { kind: "verified"; certificate: X509Certificate }
  | { kind: "none" }
  | { kind: "refused"; detail: string };

/** Reads all certificates of a text that is made to hold nothing else; an unreadable one spoils the whole. */
export function parseAuthorities(pem: string): Authorities {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** Remembers what each client of a TLS server showed, to judge each of its requests by the policy of the host it asks for. */
export class ClientCertificates {
  readonly #chains = new WeakMap<TLSSocket, readonly X509Certificate[]>();
  readonly #presented = new WeakMap<TLSSocket, Presented>();

  constructor(server: TlsServer) {
    // Node 24.21 forgets the intermediates of an authorised client before `secureConnection` (nodejs/node#65579), so
    // they are read one step earlier; key material is what first names the socket during its handshake.
    server.on("keylog", (_line, socket) => {
      if (this.#chains.has(socket)) return;
      this.#chains.set(socket, []);
      socket.prependOnceListener("secure", () => this.#chains.set(socket, readSentCertificates(socket)));
    });
    server.on("secureConnection", (socket) => {
      const sent = this.#chains.get(socket) ?? [];
      this.#presented.set(socket, { authorized: socket.authorized, sent, depths: new WeakMap() });
    });
  }

  /** Judges the client behind a connection; undefined: one that was asked for nothing. Without authorities nobody is verified. */
  judge(socket: TLSSocket | undefined, policy: ClientPolicy, authorities: Authorities): Verdict {
    const presented = socket && this.#presented.get(socket);
    const [certificate] = presented?.sent ?? [];
    if (presented === undefined || certificate === undefined) {
      return policy.mode === "optional" ? { kind: "none" } : REFUSED_WITHOUT;
    }
    if (!presented.authorized) return REFUSED;
    const known = presented.depths.get(authorities) ?? { depth: measureDepth(presented.sent, authorities) };
    presented.depths.set(authorities, known);
    if (known.depth === undefined || known.depth > policy.depth) return REFUSED;
    return { kind: "verified", certificate };
  }
}

const REFUSED: Verdict = { kind: "refused", detail: "The SSL certificate error" };
const REFUSED_WITHOUT: Verdict = { kind: "refused", detail: "No required SSL certificate was sent" };

function readSentCertificates(socket: TLSSocket): X509Certificate[] {
  const sent: X509Certificate[] = [];
  for (let next = socket.getPeerX509Certificate(); next !== undefined; next = next.issuerCertificate) sent.push(next);
  return sent;
}

/**
 * Counts the intermediates between the client's certificate and a self-signed authority, walking as OpenSSL does (an
 * authority is taken before a certificate that was sent). Node lets OpenSSL judge the chain but not limit its depth; and
 * judged again by the authorities of now, a connection does not outlive the removal of the one that it was let in by.
 */
function measureDepth(sent: readonly X509Certificate[], authorities: Authorities): number | undefined {
  let current = sent[0];
  for (
    let certificates = 1;
    current !== undefined && certificates <= 1 + sent.length + authorities.length;
    certificates++
  ) {
    const subject: X509Certificate = current;
    if (isSelfSigned(subject)) return isAmong(authorities, subject) ? Math.max(0, certificates - 2) : undefined;
    current = [...authorities, ...sent].find((candidate) => isIssuer(candidate, subject));
  }
  return undefined;
}

function isAmong(authorities: Authorities, certificate: X509Certificate): boolean {
  return authorities.some((authority) => authority.raw.equals(certificate.raw));
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return isIssuer(certificate, certificate);
}

function isIssuer(issuer: X509Certificate, subject: X509Certificate): boolean {
  return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}
