export type { Authority, AuthorityFiles } from "./authority.ts";
export { loadAuthority } from "./authority.ts";
export { isForRequestedKey } from "./certificate-signing-request.ts";
export type {
  AggregatorCertificateRequest,
  ClientCertificate,
  ClientCertificateRequest,
  DeviceCertificateRequest,
} from "./client-certificate.ts";
export { issueClientCertificate } from "./client-certificate.ts";
export { computeLfdi, computeSfdi } from "./device-identity.ts";
export type { Hierarchy, HierarchyOptions } from "./hierarchy.ts";
export { createHierarchy } from "./hierarchy.ts";
export type { CertificateReport, CertificateRole, PkiFiles } from "./inspect.ts";
export { countDaysLeft, inspectPki } from "./inspect.ts";
export type { InternalPkiFiles } from "./inspect-internal.ts";
export { inspectInternalPki, isEdgeOf } from "./inspect-internal.ts";
export type { InstalledAuthorities, SecretFiles } from "./installed-authorities.ts";
export {
  createAuthorityFiles,
  findPair,
  hasOverlap,
  listRoots,
  loadInstalledAuthorities,
  loadPair,
} from "./installed-authorities.ts";
export type { InternalCertificateRequest, InternalFiles } from "./internal-authority.ts";
export {
  ANY_TESTSTACK,
  createInternalAuthorityFiles,
  INTERNAL_CLIENTS,
  issueInternalFiles,
} from "./internal-authority.ts";
export type { CertificateSummary } from "./parse-certificate.ts";
export { parseCertificate } from "./parse-certificate.ts";
export type { PemBlock } from "./pem.ts";
export { splitPem } from "./pem.ts";
export type { Pkcs12Options } from "./pkcs12.ts";
export { buildPkcs12, generatePassword } from "./pkcs12.ts";
export type { PkiErrorReason } from "./pki-error.ts";
export { PkiError } from "./pki-error.ts";
export type { ServerCertificate, ServerCertificateRequest } from "./server-certificate.ts";
export { issueServerCertificate } from "./server-certificate.ts";
export type { ServerFilesRequest } from "./server-renewal.ts";
export {
  findOwnServerCertificate,
  findServerCertificate,
  isRenewalDue,
  issueServerFiles,
} from "./server-renewal.ts";
export { addRoots, replaceRoots } from "./trust-bundle.ts";
