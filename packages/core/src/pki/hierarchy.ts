import { randomBytes } from "node:crypto";
import { basicConstraints, certificatePolicies, keyUsage } from "./extensions.ts";
import { computeKeyIdentifier, exportPrivateKeyPem, exportPublicKeyInfo, generateKeyPair } from "./keys.ts";
import { buildName } from "./names.ts";
import { OID, SEP2 } from "./object-identifiers.ts";
import { toPem } from "./pem.ts";
import { type Signer, signCertificate } from "./sign-certificate.ts";
import { addYears, buildValidity } from "./validity.ts";

/** What stands at a policy here must also stand at every CA above, or the policy is not valid along the path (RFC 5280 section 6.1). */
const ISSUER_POLICIES = Object.values(SEP2);

const SERCA = { commonName: "IEEE 2030.5 Root", pathLength: undefined, years: 35, policies: [OID.anyPolicy] };
const MCA = { commonName: "IEEE 2030.5 MCA", pathLength: 1, years: 25, policies: ISSUER_POLICIES };
const MICA = { commonName: "IEEE 2030.5 MICA", pathLength: 0, years: 15, policies: ISSUER_POLICIES };
type Level = typeof SERCA | typeof MCA;

export interface HierarchyOptions {
  readonly organisation: string;
  /** ISO 3166 code; AU when left out. */
  readonly country?: string;
  readonly now: Date;
}

export interface Hierarchy {
  /** The root that everybody trusts, valid for 35 years. */
  readonly sercaPem: string;
  /** Issues MICAs only; 25 years. */
  readonly mcaPem: string;
  /** Issues clients' and servers' certificates; 15 years. */
  readonly micaPem: string;
  readonly micaPrivateKeyPem: string;
}

/**
 * Makes the three CAs of IEEE 2030.5 section 6.11: SERCA, MCA and MICA.
 *
 * The keys of SERCA and MCA sign once and are dropped: nobody can steal what does not exist, and with them a thief could
 * make CAs that every client trusts. The price: a MICA cannot be replaced alone. To rotate, make a whole new hierarchy,
 * let both roots be trusted for a while (their names differ by a random serialNumber), then sign with the new one.
 *
 * @throws {PkiError} invalid_input when organisation or country do not fit into a name
 */
export async function createHierarchy({ organisation, country = "AU", now }: HierarchyOptions): Promise<Hierarchy> {
  const owner = { C: country, O: organisation };
  const serialNumber = randomBytes(8).toString("hex");
  const make = async (level: Level, issuer?: Signer) => createAuthority({ level, owner, serialNumber, now, issuer });
  const serca = await make(SERCA);
  const mca = await make(MCA, serca.signer);
  const mica = await make(MICA, mca.signer);
  return {
    sercaPem: serca.pem,
    mcaPem: mca.pem,
    micaPem: mica.pem,
    micaPrivateKeyPem: await exportPrivateKeyPem(mica.signer.signingKey),
  };
}

interface AuthorityOptions {
  level: Level;
  owner: { C: string; O: string };
  serialNumber: string;
  now: Date;
  issuer: Signer | undefined;
}

async function createAuthority(options: AuthorityOptions): Promise<{ pem: string; signer: Signer }> {
  const { level, owner, serialNumber, now, issuer } = options;
  const { publicKey, privateKey } = await generateKeyPair(level === MICA);
  const name = buildName({ ...owner, CN: level.commonName, serialNumber });
  const self: Signer = { name, signingKey: privateKey, keyIdentifier: undefined };
  const der = await signCertificate(issuer ?? self, {
    subject: name,
    publicKey,
    validity: buildValidity(now, addYears(now, level.years)),
    extensions: [
      basicConstraints(level.pathLength),
      keyUsage("keyCertSign", "cRLSign"),
      certificatePolicies(true, level.policies),
    ],
  });
  const keyIdentifier = computeKeyIdentifier(await exportPublicKeyInfo(publicKey));
  return { pem: toPem("CERTIFICATE", der), signer: { ...self, keyIdentifier } };
}
