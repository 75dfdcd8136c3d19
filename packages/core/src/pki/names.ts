import { Set as Asn1Set, fromBER, ObjectIdentifier, PrintableString, Sequence, Utf8String } from "asn1js";
import { RelativeDistinguishedNames } from "pkijs";
import { OID } from "./object-identifiers.ts";
import { PkiError } from "./pki-error.ts";

/** Lengths are the upper bounds of RFC 5280 appendix A. */
const ATTRIBUTES = {
  C: { type: OID.countryName, encode: PrintableString, pattern: /^[A-Z]{2}$/, rule: "two capital letters" },
  O: {
    type: OID.organizationName,
    encode: Utf8String,
    pattern: /^[^\p{Cc}\p{Cs}]{1,64}$/u,
    rule: "1 to 64 characters",
  },
  CN: { type: OID.commonName, encode: Utf8String, pattern: /^[^\p{Cc}\p{Cs}]{1,64}$/u, rule: "1 to 64 characters" },
  serialNumber: {
    type: OID.serialNumber,
    encode: PrintableString,
    pattern: /^[A-Za-z0-9]{1,64}$/,
    rule: "1 to 64 letters and digits",
  },
} as const;

export type NameAttributes = Partial<Record<keyof typeof ATTRIBUTES, string>>;

/** Builds a distinguished name with one attribute per RDN, in the order given. pkijs would put all into one SET. */
export function buildName(attributes: NameAttributes): RelativeDistinguishedNames {
  const rdns = (Object.keys(attributes) as (keyof NameAttributes)[]).flatMap((key) => {
    const value = attributes[key];
    return value === undefined ? [] : [buildRdn(key, value)];
  });
  // A decoded name encodes to the very bytes it was decoded from.
  return new RelativeDistinguishedNames({ schema: fromBER(new Sequence({ value: rdns }).toBER()).result });
}

function buildRdn(key: keyof NameAttributes, value: string): Asn1Set {
  const { type, encode: Encoding, pattern, rule } = ATTRIBUTES[key];
  if (!pattern.test(value)) throw new PkiError("invalid_input", `The name attribute ${key} must be ${rule}.`);
  const pair = new Sequence({ value: [new ObjectIdentifier({ value: type }), new Encoding({ value })] });
  return new Asn1Set({ value: [pair] });
}

export function findNameAttribute(name: RelativeDistinguishedNames, key: "C" | "O"): string | undefined {
  const value: unknown = name.typesAndValues.find(({ type }) => type === ATTRIBUTES[key].type)?.value.valueBlock.value;
  return typeof value === "string" && ATTRIBUTES[key].pattern.test(value) ? value : undefined;
}
