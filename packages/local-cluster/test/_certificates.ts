import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const HOUR_MS = 3_600_000;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** SubjectAltName holding nothing but one otherName id-on-hardwareModuleName, as in IEEE 2030.5 device certificates. */
const HARDWARE_MODULE_SAN = Buffer.from("3020a01e06082b06010505070804a012301006082b060104018299460404deadbeef", "hex");

export interface Identity {
  certificatePem: string;
  keyPem: string;
}

export interface Authority extends Identity {
  /** Another authority below this one. */
  createAuthority(name: string): Promise<Authority>;
  /** A certificate as IEEE 2030.5 devices have it: empty subject, critical SAN with only a hardware-module name. */
  issueDevice(validity?: Validity): Promise<Identity>;
  /** A certificate with a subject and no names beside it, as aggregators may have. */
  issueClient(subject: string): Promise<Identity>;
  issueServer(host: string): Promise<Identity>;
  /** A revocation list, as PEM. */
  revoke(certificates: Identity[]): Promise<string>;
}

interface Validity {
  notBefore?: Date;
  notAfter?: Date;
}

interface Signer {
  name: string;
  privateKey: webcrypto.CryptoKey;
}

interface Content extends Validity {
  subject: string;
  extensions: x509.Extension[];
}

/** A root authority with a key of its own. */
export function createRootAuthority(name: string): Promise<Authority> {
  return createAuthority(name, undefined);
}

async function createAuthority(name: string, issuer: Signer | undefined): Promise<Authority> {
  const subject = `C=AU, O=Cactus, CN=${name}`;
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const self: Signer = { name: subject, privateKey: keys.privateKey };
  const identity = await sign(issuer ?? self, keys, {
    subject,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const issue = async (content: Content): Promise<Identity> =>
    sign(self, await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]), content);
  return {
    ...identity,
    createAuthority: (lower) => createAuthority(lower, self),
    issueDevice: (validity = {}) =>
      issue({
        ...validity,
        subject: "",
        extensions: [
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyAgreement, true),
          new x509.Extension("2.5.29.17", true, HARDWARE_MODULE_SAN),
        ],
      }),
    issueClient: (name) => issue({ subject: name, extensions: [] }),
    revoke: async (certificates) => {
      const entries = certificates.map(({ certificatePem }) => new x509.X509Certificate(certificatePem).serialNumber);
      const crl = await x509.X509CrlGenerator.create({
        issuer: subject,
        entries: entries.map((serialNumber) => ({ serialNumber })),
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        thisUpdate: new Date(Date.now() - HOUR_MS),
        nextUpdate: new Date(Date.now() + HOUR_MS),
      });
      return `${x509.PemConverter.encode(crl.rawData, "X509 CRL")}\n`;
    },
    issueServer: (host) =>
      issue({
        subject: `CN=${host}`,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: host }])],
      }),
  };
}

async function sign(issuer: Signer, keys: webcrypto.CryptoKeyPair, content: Content): Promise<Identity> {
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: content.subject,
    issuer: issuer.name,
    notBefore: content.notBefore ?? new Date(now - HOUR_MS),
    notAfter: content.notAfter ?? new Date(now + HOUR_MS),
    publicKey: keys.publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: algorithm,
    extensions: content.extensions,
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    certificatePem: `${certificate.toString("pem")}\n`,
    keyPem: `-----BEGIN PRIVATE KEY-----\n${key.replace(/(.{64})/g, "$1\n")}\n-----END PRIVATE KEY-----\n`,
  };
}
