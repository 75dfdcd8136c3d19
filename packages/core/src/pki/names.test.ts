import { expect, test } from "vitest";
import { printDer } from "../../test/_der.ts";
import { buildName, findNameAttribute } from "./names.ts";

function encode(...[attributes]: Parameters<typeof buildName>): Buffer {
  return Buffer.from(buildName(attributes).toSchema().toBER());
}

test("each attribute stands in a set of its own, in the order given, in the string type of RFC 5280", () => {
  expect(printDer(encode({ C: "AU", O: "CACTUS é", CN: "IEEE 2030.5 MICA", serialNumber: "1a" }))).toBe(
    `
SEQUENCE
  SET
    SEQUENCE
      OID 2.5.4.6
      PrintableString AU
  SET
    SEQUENCE
      OID 2.5.4.10
      UTF8String CACTUS é
  SET
    SEQUENCE
      OID 2.5.4.3
      UTF8String IEEE 2030.5 MICA
  SET
    SEQUENCE
      OID 2.5.4.5
      PrintableString 1a
`.trim(),
  );
});

test("attributes left out are left out, down to the empty name", () => {
  expect(encode({})).toEqual(Buffer.from("3000", "hex"));
  expect(encode({ O: undefined, CN: "x" })).toEqual(encode({ CN: "x" }));
});

test.each([
  { C: "au" },
  { C: "AUS" },
  { O: "" },
  { O: "x".repeat(65) },
  { CN: "a\nb" },
  { CN: "a\u0000" },
  { CN: "\ud800" },
  { serialNumber: "*" },
])("refuses %j", (attributes) => {
  const [key] = Object.keys(attributes);
  expect(() => buildName(attributes)).toThrow(
    expect.objectContaining({ reason: "invalid_input", message: expect.stringContaining(` ${key} must be `) }),
  );
});

test("finds an attribute, or nothing", () => {
  const name = buildName({ O: "CACTUS", CN: "x" });
  expect(findNameAttribute(name, "O")).toBe("CACTUS");
  expect(findNameAttribute(name, "C")).toBeUndefined();
});
