import { createHash } from "node:crypto";
import { PkiError } from "./pki-error.ts";

/** Computes the LFDI of a certificate (IEEE 2030.5 section 6.3.4): the leftmost 160 bits of the SHA-256 of its DER, as 40 lower-case hexadecimal digits. */
export function computeLfdi(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("hex").slice(0, 40);
}

/**
 * Computes the SFDI that belongs to an LFDI (IEEE 2030.5 section 6.3.3): its leftmost 36 bits in decimal, and a check
 * digit that makes the sum of all digits a multiple of 10. Leading zeros are not written, since the schema has a number.
 *
 * @throws {PkiError} invalid_input when the LFDI is not 40 hexadecimal digits
 */
export function computeSfdi(lfdi: string): string {
  if (!/^[0-9a-f]{40}$/i.test(lfdi)) throw new PkiError("invalid_input", "lfdi must be 40 hexadecimal digits.");
  const digits = String(Number.parseInt(lfdi.slice(0, 9), 16));
  const sum = Array.from(digits, Number).reduce((total, digit) => total + digit, 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}
