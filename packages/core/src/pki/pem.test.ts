import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { splitPem, toPem } from "./pem.ts";

const FIRST = toPem("CERTIFICATE", Buffer.from("first"));
const SECOND = toPem("EC PRIVATE KEY", Buffer.from("second"));

test("finds the blocks in order and skips what stands around them", () => {
  const text = `subject=CN = x\n${FIRST}\nBag Attributes\n    friendlyName: -\n${SECOND}trailing`;
  expect(splitPem(text)).toEqual([
    { label: "CERTIFICATE", pem: FIRST, der: Buffer.from("first") },
    { label: "EC PRIVATE KEY", pem: SECOND, der: Buffer.from("second") },
  ]);
});

test("reads CRLF, indented lines and a missing last newline", () => {
  const text = FIRST.trimEnd().replaceAll("\n", "\r\n  ");
  expect(splitPem(text).map(({ der }) => der)).toEqual([Buffer.from("first")]);
});

test("keeps the headers of an encrypted key in the block", () => {
  const text = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n";
  expect(splitPem(text).map(({ pem }) => pem)).toEqual([text]);
});

test.each([
  ["no block", ""],
  ["no end", "-----BEGIN CERTIFICATE-----\nAAAA\n"],
  ["another end", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n"],
  ["a begin within", "-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n"],
  ["a strange label", "-----BEGIN <script>-----\nAAAA\n-----END <script>-----\n"],
])("finds nothing: %s", (_what, text) => {
  expect(splitPem(text)).toEqual([]);
});

test("a hostile text costs time in proportion to its length", () => {
  const text = "-----BEGIN CERTIFICATE-----\n".repeat(100_000);
  expect(splitPem(`${text}${FIRST}`)).toHaveLength(1);
});

test("writes lines of 64 characters that read back to the same bytes", () => {
  for (let length = 0; length < 200; length += 1) {
    const der = randomBytes(length);
    const pem = toPem("X", der);
    expect(Math.max(...pem.split("\n").map((line) => line.length))).toBeLessThanOrEqual(64);
    expect(splitPem(pem)).toEqual([{ label: "X", pem, der }]);
  }
});
