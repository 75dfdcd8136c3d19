import type { webcrypto } from "node:crypto";
import type { Extension, RelativeDistinguishedNames } from "pkijs";
import { buildDnsName, buildHardwareModuleName } from "./alternative-names.ts";
import { type Authority, getSigner } from "./authority.ts";
import { readRequestedKey } from "./certificate-signing-request.ts";
import { computeLfdi, computeSfdi } from "./device-identity.ts";
import { certificatePolicies, extendedKeyUsage, keyUsage, subjectAltName } from "./extensions.ts";
import { exportPrivateKeyPem, generateKeyPair } from "./keys.ts";
import { buildName, findNameAttribute } from "./names.ts";
import { OID, SEP2 } from "./object-identifiers.ts";
import { parseCertificate } from "./parse-certificate.ts";
import { toPem } from "./pem.ts";
import { signCertificate } from "./sign-certificate.ts";
import { buildValidityWithin } from "./validity.ts";

interface CommonRequest {
  /** PKCS#10 in PEM, of which only the public key is used. Left out: a key is made and returned. */
  readonly csrPem?: string | undefined;
  /** IANA private enterprise number under which the hardware type stands; 0 for none. */
  readonly pen: number;
  /** Tells this client from all others, 1 to 64 bytes. */
  readonly hardwareSerial: string;
  /** Cut to the authority's own validity; 5 years for a device and 2 for an aggregator when left out. */
  readonly validityDays?: number | undefined;
  readonly now: Date;
}

export interface DeviceCertificateRequest extends CommonRequest {
  readonly kind: "device";
}

export interface AggregatorCertificateRequest extends CommonRequest {
  readonly kind: "aggregator";
  readonly commonName: string;
  /** Hosts that receive the aggregator's notifications. */
  readonly dnsNames?: readonly string[] | undefined;
}

export type ClientCertificateRequest = DeviceCertificateRequest | AggregatorCertificateRequest;

export interface ClientCertificate {
  readonly certificatePem: string;
  /** What the client sends in TLS: its certificate, then its issuers up to but without the root. */
  readonly chainPem: string;
  readonly derBytes: Buffer;
  /** 40 lower-case hexadecimal digits. */
  readonly lfdi: string;
  /** Decimal. */
  readonly sfdi: string;
  /** Lower-case hexadecimal digits. */
  readonly serialNumber: string;
  /** ISO 8601, UTC. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** PKCS#8; null when the key came with a signing request. */
  readonly privateKeyPem: string | null;
}

interface Profile {
  readonly subject: RelativeDistinguishedNames;
  readonly extensions: readonly Extension[];
  readonly validityDays: number;
}

/**
 * Issues the certificate of a test client, in the profile of IEEE 2030.5 section 6.11.8 for a device, or of an
 * aggregator's service. Its private key, if made here, is in the answer and nowhere else.
 *
 * @throws {PkiError} invalid_csr, invalid_input, or what getSigner throws
 */
export async function issueClientCertificate(
  authority: Authority,
  request: ClientCertificateRequest,
): Promise<ClientCertificate> {
  const signer = getSigner(authority, request.now);
  const profile = request.kind === "device" ? deviceProfile(request) : aggregatorProfile(request, signer.name);
  const validity = buildValidityWithin(authority, request.validityDays ?? profile.validityDays, request.now);
  const { publicKey, privateKey } = await provideKey(request.csrPem);
  const derBytes = await signCertificate(signer, { ...profile, publicKey, validity });
  const certificatePem = toPem("CERTIFICATE", derBytes);
  const lfdi = computeLfdi(derBytes);
  return {
    certificatePem,
    chainPem: certificatePem + authority.issuersPem,
    derBytes,
    lfdi,
    sfdi: computeSfdi(lfdi),
    serialNumber: parseCertificate(derBytes).serialNumber,
    notBefore: validity.notBefore.toISOString(),
    notAfter: validity.notAfter.toISOString(),
    privateKeyPem: privateKey === undefined ? null : await exportPrivateKeyPem(privateKey),
  };
}

async function provideKey(
  csrPem: string | undefined,
): Promise<{ publicKey: webcrypto.CryptoKey; privateKey?: webcrypto.CryptoKey }> {
  return csrPem === undefined ? await generateKeyPair(true) : { publicKey: await readRequestedKey(csrPem) };
}

function deviceProfile({ pen, hardwareSerial }: DeviceCertificateRequest): Profile {
  return {
    subject: buildName({}),
    extensions: [
      keyUsage("digitalSignature", "keyAgreement"),
      certificatePolicies(true, [SEP2.genericDevice, SEP2.postManufacture, SEP2.test]),
      subjectAltName(true, [buildHardwareModuleName(pen, hardwareSerial)]),
    ],
    validityDays: 5 * 365,
  };
}

/** An aggregator bears the country and organisation of its issuer, as the Australian test PKI has it. */
function aggregatorProfile(request: AggregatorCertificateRequest, issuer: RelativeDistinguishedNames): Profile {
  const { pen, hardwareSerial, commonName, dnsNames = [] } = request;
  return {
    subject: buildName({
      C: findNameAttribute(issuer, "C"),
      O: findNameAttribute(issuer, "O"),
      CN: commonName,
    }),
    extensions: [
      keyUsage("digitalSignature", "keyAgreement"),
      extendedKeyUsage(OID.clientAuth, OID.serverAuth),
      certificatePolicies(true, [SEP2.genericDevice, SEP2.serviceProvider]),
      subjectAltName(false, [buildHardwareModuleName(pen, hardwareSerial), ...dnsNames.map(buildDnsName)]),
    ],
    validityDays: 2 * 365,
  };
}
