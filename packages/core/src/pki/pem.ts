export interface PemBlock {
  /** What stands after `BEGIN`, such as `CERTIFICATE`. */
  readonly label: string;
  /** The block alone, from its first dash to its last. */
  readonly pem: string;
  readonly der: Buffer;
}

// The body stops at the next run of five dashes, so that time stays linear in the length of a hostile text.
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----((?:(?!-----)[\s\S])*)-----END \1-----/g;

/** Finds the PEM blocks of a text, in order. What stands between them (comments, attributes) is skipped. */
export function splitPem(text: string): PemBlock[] {
  return Array.from(text.matchAll(BLOCK), ([pem, label = "", body = ""]) => ({
    label,
    pem: `${pem}\n`,
    der: Buffer.from(body, "base64"),
  }));
}

export function toPem(label: string, der: ArrayBuffer | Buffer): string {
  const base64 = Buffer.from(der as ArrayBuffer).toString("base64");
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`;
}
