/** Object identifiers that are not the library's to know. */
export const OID = {
  countryName: "2.5.4.6",
  organizationName: "2.5.4.10",
  commonName: "2.5.4.3",
  serialNumber: "2.5.4.5",

  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  certificatePolicies: "2.5.29.32",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  anyPolicy: "2.5.29.32.0",

  ecPublicKey: "1.2.840.10045.2.1",
  p256: "1.2.840.10045.3.1.7",
  ecdsaWithSha2: ["1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4"] as readonly string[],

  /** RFC 4108 section 5; required of devices by IEEE 2030.5 section 6.11.7.4. */
  hardwareModuleName: "1.3.6.1.5.5.7.8.4",
  privateEnterprise: "1.3.6.1.4.1",

  pkcs12KeyBag: "1.2.840.113549.1.12.10.1.2",
  pkcs12CertBag: "1.2.840.113549.1.12.10.1.3",
  friendlyName: "1.2.840.113549.1.9.20",
  localKeyId: "1.2.840.113549.1.9.21",
} as const;

/** Device types and policies of IEEE 2030.5 sections 6.11.7.2 and 6.11.7.3. */
export const SEP2 = {
  genericDevice: "1.3.6.1.4.1.40732.1.1",
  mobileDevice: "1.3.6.1.4.1.40732.1.2",
  postManufacture: "1.3.6.1.4.1.40732.1.3",
  test: "1.3.6.1.4.1.40732.2.1",
  serviceProvider: "1.3.6.1.4.1.40732.2.3",
} as const;
