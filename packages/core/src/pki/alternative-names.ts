import { isIPv4, isIPv6 } from "node:net";
import { type AsnType, Constructed, ObjectIdentifier, OctetString, Primitive, Sequence } from "asn1js";
import { OID } from "./object-identifiers.ts";
import { PkiError } from "./pki-error.ts";

/** Largest private enterprise number (RFC 9371 section 2). */
const MAX_PEN = 2 ** 32 - 1;
const DNS_NAME = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Builds the one name that a device has: `[0] { id-on-hardwareModuleName, [0] { hwType, hwSerialNum } }`. pkijs nests it one SEQUENCE too deep. */
export function buildHardwareModuleName(pen: number, hardwareSerial: string): AsnType {
  if (!(Number.isInteger(pen) && pen >= 0 && pen <= MAX_PEN)) {
    throw new PkiError("invalid_input", `pen must be a whole number from 0 to ${MAX_PEN}.`);
  }
  const serial = Buffer.from(hardwareSerial, "utf8");
  if (serial.length < 1 || serial.length > 64) {
    throw new PkiError("invalid_input", "hardwareSerial must be 1 to 64 bytes of UTF-8.");
  }
  const hardwareModule = new Sequence({
    value: [
      new ObjectIdentifier({ value: `${OID.privateEnterprise}.${pen}.1.1.1` }),
      new OctetString({ valueHex: serial }),
    ],
  });
  const typeId = new ObjectIdentifier({ value: OID.hardwareModuleName });
  return contextConstructed(0, [typeId, contextConstructed(0, [hardwareModule])]);
}

export function buildDnsName(name: string): AsnType {
  const ascii = name.toLowerCase();
  if (ascii.length > 253 || !DNS_NAME.test(ascii) || isIPv4(ascii)) {
    throw new PkiError(
      "invalid_input",
      `dnsNames has ${quote(name)}: give a host name, in its xn-- form if not ASCII.`,
    );
  }
  return contextPrimitive(2, Buffer.from(ascii, "ascii"));
}

export function buildIpAddress(address: string): AsnType {
  return contextPrimitive(7, parseIpAddress(address));
}

function parseIpAddress(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  if (!isIPv6(address) || address.includes("%")) {
    throw new PkiError(
      "invalid_input",
      `ipAddresses has ${quote(address)}: give an IPv4 or IPv6 address without a zone.`,
    );
  }
  // The URL parser turns every spelling of an IPv6 address into groups of hexadecimal digits with at most one "::".
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const left = head.split(":").filter(Boolean);
  const right = tail?.split(":").filter(Boolean) ?? [];
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, "0")).join(""), "hex");
}

function contextConstructed(tagNumber: number, value: AsnType[]): AsnType {
  return new Constructed({ idBlock: { tagClass: 3, tagNumber }, value });
}

function contextPrimitive(tagNumber: number, valueHex: Buffer): AsnType {
  return new Primitive({ idBlock: { tagClass: 3, tagNumber }, valueHex });
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
