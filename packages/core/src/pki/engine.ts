import { webcrypto } from "node:crypto";
import { Null, OctetString } from "asn1js";
import {
  CryptoEngine,
  type CryptoEngineEncryptParams,
  type CryptoEngineSignatureParams,
  EncryptedContentInfo,
} from "pkijs";

/** The hash of every signature we make. Passed to every pkijs call, because pkijs falls back to SHA-1. */
export const SIGNATURE_HASH = "SHA-256";

class NodeEngine extends CryptoEngine {
  /** Adds the NULL that RFC 4055 section 5 demands of RSA signatures and pkijs leaves out; strict readers refuse without. */
  override async getSignatureParameters(
    privateKey: webcrypto.CryptoKey,
    hashAlgorithm: string,
  ): Promise<CryptoEngineSignatureParams> {
    const signature = await super.getSignatureParameters(privateKey, hashAlgorithm);
    if (privateKey.algorithm.name === "RSASSA-PKCS1-v1_5") signature.signatureAlgorithm.algorithmParams = new Null();
    return signature;
  }

  /** Puts together what pkijs cuts into pieces of 1 KiB with indefinite lengths, which readers of DER refuse. */
  override async encryptEncryptedContentInfo(parameters: CryptoEngineEncryptParams): Promise<EncryptedContentInfo> {
    const pieces = await super.encryptEncryptedContentInfo(parameters);
    return new EncryptedContentInfo({
      contentType: pieces.contentType,
      contentEncryptionAlgorithm: pieces.contentEncryptionAlgorithm,
      encryptedContent: new OctetString({ valueHex: pieces.getEncryptedContent() }),
      disableSplit: true,
    });
  }
}

/** WebCrypto of Node. Passed to every pkijs call, because pkijs falls back to a global engine of unknown make. */
export const engine = new NodeEngine({ name: "node", crypto: webcrypto });
