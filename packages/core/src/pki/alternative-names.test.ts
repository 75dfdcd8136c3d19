import { expect, test } from "vitest";
import { printDer } from "../../test/_der.ts";
import { buildDnsName, buildHardwareModuleName, buildIpAddress } from "./alternative-names.ts";

const refused = (word: string) =>
  expect.objectContaining({ reason: "invalid_input", message: expect.stringContaining(word) });

test("a hardware module name is an otherName as RFC 4108 and RFC 5280 have it, without a sequence too many", () => {
  expect(printDer(Buffer.from(buildHardwareModuleName(28547, "cactus-ü").toBER()))).toBe(
    `
[0]
  OID 1.3.6.1.5.5.7.8.4
  [0]
    SEQUENCE
      OID 1.3.6.1.4.1.28547.1.1.1
      OCTET_STRING ${Buffer.from("cactus-ü").toString("hex")}
`.trim(),
  );
});

test.each([0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 - 1])("pen %d stands in the type's identifier", (pen) => {
  const der = Buffer.from(buildHardwareModuleName(pen, "x").toBER());
  expect(printDer(der)).toContain(`OID 1.3.6.1.4.1.${pen}.1.1.1\n`);
});

test.each([-1, 1.5, 2 ** 32, Number.NaN])("pen %d is refused", (pen) => {
  expect(() => buildHardwareModuleName(pen, "x")).toThrow(refused("pen"));
});

test.each(["", "x".repeat(65), "ü".repeat(33)])("hardwareSerial %j is refused", (serial) => {
  expect(() => buildHardwareModuleName(1, serial)).toThrow(refused("hardwareSerial"));
});

test.each([
  ["example.com", "example.com"],
  ["Cactus.EXAMPLE.com", "cactus.example.com"],
  ["*.example.com", "*.example.com"],
  ["localhost", "localhost"],
  ["xn--mnchen-3ya.de", "xn--mnchen-3ya.de"],
  ["envoy_svc.test.svc", "envoy_svc.test.svc"],
])("host name %s is written as %s", (name, written) => {
  const der = Buffer.from(buildDnsName(name).toBER());
  expect(der).toEqual(Buffer.concat([Buffer.from([0x82, written.length]), Buffer.from(written)]));
});

test.each([
  "",
  ".",
  "a..b",
  "-a.com",
  "a-.com",
  "münchen.de",
  "a b",
  "https://a.com",
  "a.com:443",
  "a.com.",
  "*",
  "a.*.com",
  "a\u0000.com",
  "127.0.0.1",
  "::1",
  `${"a".repeat(64)}.com`,
  `${"a.".repeat(126)}com`,
])("%j is no host name", (name) => {
  expect(() => buildDnsName(name)).toThrow(refused("dnsNames"));
});

test.each([
  ["127.0.0.1", "7f000001"],
  ["::", "0".repeat(32)],
  ["::1", `${"0".repeat(31)}1`],
  ["2001:db8::", `20010db8${"0".repeat(24)}`],
  ["2001:DB8::5:0:7", "20010db8000000000000000500000007"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
])("address %s is written as %s", (address, hex) => {
  const der = Buffer.from(buildIpAddress(address).toBER());
  expect(der.toString("hex")).toBe(`87${hex.length === 8 ? "04" : "10"}${hex}`);
});

test.each(["", "localhost", "1.2.3", "1.2.3.256", "::g", "fe80::1%eth0", "[::1]"])("%j is no address", (address) => {
  expect(() => buildIpAddress(address)).toThrow(refused("ipAddresses"));
});
