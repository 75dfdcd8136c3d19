import { KeyObject, type webcrypto } from "node:crypto";
import { fromBER, ObjectIdentifier } from "asn1js";
import { CertificationRequest } from "pkijs";
import { engine } from "./engine.ts";
import { OID } from "./object-identifiers.ts";
import { readCertificate } from "./parse-certificate.ts";
import { splitPem } from "./pem.ts";
import { PkiError } from "./pki-error.ts";

/** A request for a P-256 key has less than 1 KiB; this leaves room for attributes that we do not read. */
const MAX_LENGTH = 16_384;
/** Java's keytool writes the second. */
const LABELS = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
const REMEDY =
  "Make one with: openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj / -keyout key.pem";

/**
 * Gives the public key of a certificate signing request (PKCS#10 in PEM), after proof that the sender has the private key.
 * Nothing else of the request is used.
 *
 * @throws {PkiError} invalid_csr
 */
export async function readRequestedKey(csrPem: string): Promise<webcrypto.CryptoKey> {
  const request = decode(findRequest(csrPem));
  const { algorithmId, algorithmParams } = request.subjectPublicKeyInfo.algorithm;
  const curve: unknown =
    algorithmParams instanceof ObjectIdentifier ? algorithmParams.valueBlock.toString() : undefined;
  if (algorithmId !== OID.ecPublicKey || curve !== OID.p256) {
    throw invalid(`its key must be an EC key on the named curve P-256. ${REMEDY}`);
  }
  if (!OID.ecdsaWithSha2.includes(request.signatureAlgorithm.algorithmId)) {
    throw invalid("it must be signed with ECDSA and SHA-256, SHA-384 or SHA-512");
  }
  const key = await request
    .getPublicKey(undefined, engine)
    .catch(rejectAs("its public key is not an uncompressed point of P-256"));
  const proven = await request.verify(engine).catch(rejectAs("its signature is damaged"));
  if (!proven) throw invalid("its signature does not fit its key: sign it with the private key that belongs to it");
  return key;
}

/**
 * Whether a certificate (DER) is for the key of a certificate signing request.
 *
 * @throws {PkiError} invalid_csr
 */
export async function isForRequestedKey(certificate: Buffer, csrPem: string): Promise<boolean> {
  const requested = KeyObject.from(await readRequestedKey(csrPem));
  return readCertificate(certificate).publicKey.equals(requested);
}

function findRequest(csrPem: string): Buffer {
  if (csrPem.length > MAX_LENGTH) throw invalid(`it is longer than ${MAX_LENGTH} characters`);
  const blocks = splitPem(csrPem);
  const [block] = blocks;
  if (block === undefined) throw invalid(`it must be PEM with BEGIN CERTIFICATE REQUEST. ${REMEDY}`);
  if (blocks.length > 1) throw invalid(`it must be one PEM block; there are ${blocks.length}`);
  if (!LABELS.includes(block.label)) throw invalid(`it must be a CERTIFICATE REQUEST, not a ${block.label}`);
  return block.der;
}

function decode(der: Buffer): CertificationRequest {
  try {
    const { result, offset } = fromBER(der);
    if (offset === der.length) return new CertificationRequest({ schema: result });
  } catch (cause) {
    throw invalid("it is damaged: it cannot be read as PKCS#10", cause);
  }
  throw invalid("it is damaged: its length is wrong");
}

function rejectAs(problem: string): (cause: unknown) => never {
  return (cause) => {
    throw invalid(problem, cause);
  };
}

function invalid(problem: string, cause?: unknown): PkiError {
  return new PkiError("invalid_csr", `The certificate signing request cannot be used: ${problem}.`, { cause });
}
