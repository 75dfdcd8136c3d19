import { type AsnType, BitString, OctetString, Sequence } from "asn1js";
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  CertificatePolicies,
  Extension,
  ExtKeyUsage,
  PolicyInformation,
} from "pkijs";
import { OID } from "./object-identifiers.ts";

/** Bits of KeyUsage, the first being the highest bit of the first octet (RFC 5280 section 4.2.1.3). */
const KEY_USAGE_BITS = { digitalSignature: 0, keyAgreement: 4, keyCertSign: 5, cRLSign: 6 } as const;
export type KeyUsage = keyof typeof KEY_USAGE_BITS;

export function basicConstraints(pathLength: number | undefined): Extension {
  const constraints = new BasicConstraints({
    cA: true,
    ...(pathLength === undefined ? {} : { pathLenConstraint: pathLength }),
  });
  return extension(OID.basicConstraints, true, constraints.toSchema());
}

export function keyUsage(...usages: KeyUsage[]): Extension {
  const positions = usages.map((usage): number => KEY_USAGE_BITS[usage]);
  const octet = positions.reduce((bits, position) => bits | (0x80 >> position), 0);
  // DER drops the zero bits at the end of a list of named bits.
  const unusedBits = 7 - Math.max(...positions);
  return extension(OID.keyUsage, true, new BitString({ valueHex: Uint8Array.of(octet), unusedBits }));
}

/** Tells whether a KeyUsage extension's value allows the usage. */
export function allowsUsage(value: BitString, usage: KeyUsage): boolean {
  return ((value.valueBlock.valueHexView[0] ?? 0) & (0x80 >> KEY_USAGE_BITS[usage])) !== 0;
}

export function certificatePolicies(critical: boolean, policies: readonly string[]): Extension {
  const list = policies.map((policyIdentifier) => new PolicyInformation({ policyIdentifier }));
  return extension(
    OID.certificatePolicies,
    critical,
    new CertificatePolicies({ certificatePolicies: list }).toSchema(),
  );
}

export function extendedKeyUsage(...keyPurposes: string[]): Extension {
  return extension(OID.extendedKeyUsage, false, new ExtKeyUsage({ keyPurposes }).toSchema());
}

export function subjectAltName(critical: boolean, names: AsnType[]): Extension {
  return extension(OID.subjectAltName, critical, new Sequence({ value: names }));
}

export function subjectKeyIdentifier(keyIdentifier: Buffer): Extension {
  return extension(OID.subjectKeyIdentifier, false, new OctetString({ valueHex: keyIdentifier }));
}

export function authorityKeyIdentifier(keyIdentifier: Buffer): Extension {
  const identifier = new AuthorityKeyIdentifier({ keyIdentifier: new OctetString({ valueHex: keyIdentifier }) });
  return extension(OID.authorityKeyIdentifier, false, identifier.toSchema());
}

function extension(extnID: string, critical: boolean, value: AsnType): Extension {
  return new Extension({ extnID, critical, extnValue: value.toBER() });
}
