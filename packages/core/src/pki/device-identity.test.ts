import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { computeLfdi, computeSfdi } from "./device-identity.ts";

test("the example of IEEE 2030.5-2018 section 6.3: SFDI of LFDI 3E4F45AB31ED…", () => {
  expect(computeSfdi("3E4F45AB31EDFE5B67E343E5E4562E31984E23E5")).toBe("167261211391");
});

test.each([
  ["0000000000000000000000000000000000000000", "00"],
  ["0000000010000000000000000000000000000000", "19"],
  ["00000000affffffffffffffffffffffffffffff0", "109"],
  ["ffffffffffffffffffffffffffffffffffffffff", "687194767357"],
])("SFDI of %s is %s", (lfdi, sfdi) => {
  expect(computeSfdi(lfdi)).toBe(sfdi);
});

test("every SFDI is the first 36 bits in decimal and a digit that makes the digit sum a multiple of 10", () => {
  for (let round = 0; round < 5_000; round += 1) {
    const lfdi = randomBytes(20).toString("hex");
    const sfdi = computeSfdi(lfdi);
    expect(BigInt(sfdi) / 10n).toBe(BigInt(`0x${lfdi}`) >> 124n);
    expect([...sfdi].reduce((sum, digit) => sum + Number(digit), 0) % 10).toBe(0);
  }
});

test("the LFDI is the first 160 bits of the SHA-256, in lower case", () => {
  expect(computeLfdi(Buffer.from("abc"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a3");
  const der = randomBytes(600);
  expect(computeLfdi(der)).toBe(createHash("sha256").update(der).digest().subarray(0, 20).toString("hex"));
});

test.each(["", "3e4f", "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5E5", "zz4F45AB31EDFE5B67E343E5E4562E31984E23E5"])(
  "%j is no LFDI",
  (lfdi) => {
    expect(() => computeSfdi(lfdi)).toThrow(expect.objectContaining({ reason: "invalid_input" }));
  },
);
