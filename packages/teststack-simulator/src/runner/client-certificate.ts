import { createHash, X509Certificate } from "node:crypto";
import { UnforeseenError } from "../http/answer.ts";
import { percentDecode } from "../http/request-target.ts";

/** The one client that a test is run with. */
export interface Client {
  readonly kind: "aggregator" | "device";
  /** Lower-case hexadecimal. */
  readonly lfdi: string;
}

/**
 * Computes the LFDI: the leftmost 160 bits of the SHA-256 of the DER certificate (IEEE 2030.5-2018, 6.3.4). Of several
 * certificates in the text the first counts.
 *
 * @throws {UnforeseenError} when there is no certificate in the text
 */
export function computeLfdi(pem: string): string {
  const [, base64] = /-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----/s.exec(pem) ?? [];
  if (base64 === undefined) throw new UnforeseenError("ValueError", MALFORMED_FRAMING);
  return createHash("sha256").update(decodeCertificate(base64)).digest("hex").slice(0, 40);
}

/** Computes the SFDI: the leftmost 36 bits in decimal and a digit that makes the sum of digits a multiple of 10 (6.3.3). */
export function computeSfdi(lfdi: string): number {
  const digits = String(Number.parseInt(lfdi.slice(0, 9), 16));
  const sum = [...digits].reduce((total, digit) => total + Number(digit), 0);
  return Number(`${digits}${(10 - (sum % 10)) % 10}`);
}

/**
 * Reads the header `ssl-client-cert`: a bare lower-case LFDI or SHA-256, or else a URL-encoded PEM.
 *
 * @throws {UnforeseenError} when it is none of these
 */
export function parseClientHeader(value: string): string {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value) ? value.slice(0, 40) : computeLfdi(percentDecode(value));
}

function decodeCertificate(base64: string): Buffer {
  try {
    return new X509Certificate(Buffer.from(base64, "base64")).raw;
  } catch {
    throw new UnforeseenError("ValueError", NOT_A_CERTIFICATE);
  }
}

const MALFORMED_FRAMING =
  "Unable to load PEM file. See https://cryptography.io/en/latest/faq/#why-can-t-i-import-my-pem-file for more details. MalformedFraming";
const NOT_A_CERTIFICATE =
  "error parsing asn1 value: ParseError { kind: UnexpectedTag { actual: Tag { value: 0, constructed: false, class: Universal } } }";
