import { expect, test } from "vitest";
import { commonName, KEY_KINDS, makeCa } from "../../test/_certificate-maker.ts";
import { parseCertificate } from "./parse-certificate.ts";
import { splitPem, toPem } from "./pem.ts";

const PEM = makeCa({
  name: commonName("a, b\nC=AU"),
  keys: KEY_KINDS["P-256"](),
  notAfter: new Date("9999-12-31T23:59:59Z"),
});
const DER = splitPem(PEM)[0]?.der ?? Buffer.alloc(0);

test("tells what callers need, from PEM (the first certificate) and from DER", () => {
  const expected = {
    subject: "CN=a\\, b\\0AC=AU",
    issuer: "CN=a\\, b\\0AC=AU",
    serialNumber: "5131",
    notBefore: "2026-01-01T00:00:00.000Z",
    notAfter: "9999-12-31T23:59:59.000Z",
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    isCa: true,
    derBytes: DER,
  };
  expect(parseCertificate(DER)).toEqual(expected);
  expect(
    parseCertificate(`-----BEGIN X-----\n-----END X-----\n${PEM}${toPem("CERTIFICATE", Buffer.alloc(3))}`),
  ).toEqual(expected);
});

test.each([
  ["no PEM", "text"],
  ["no certificate", toPem("PRIVATE KEY", DER)],
  ["damaged", toPem("CERTIFICATE", DER.subarray(1))],
  ["truncated", DER.subarray(0, 100)],
  ["empty", Buffer.alloc(0)],
])("refuses: %s", (_what, source) => {
  expect(() => parseCertificate(source)).toThrow(expect.objectContaining({ reason: "invalid_certificate" }));
});
