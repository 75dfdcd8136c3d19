import { expect, test } from "vitest";
import { printDer } from "../../test/_der.ts";
import { addYears, buildValidityWithin, toTime } from "./validity.ts";

const NOW = new Date("2026-11-23T10:00:00.789Z");
const ISSUER = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2041-01-01T00:00:00Z") };

test.each([
  ["1999-12-31T23:59:59Z", "UTCTime 991231235959Z"],
  ["2049-12-31T23:59:59.999Z", "UTCTime 491231235959Z"],
  ["2050-01-01T00:00:00Z", "GeneralizedTime 20500101000000Z"],
  ["2061-11-23T10:00:00.789Z", "GeneralizedTime 20611123100000Z"],
  ["9999-12-31T23:59:59Z", "GeneralizedTime 99991231235959Z"],
])("%s is encoded as %s", (date, encoded) => {
  expect(printDer(Buffer.from(toTime(new Date(date)).toSchema().toBER()))).toBe(encoded);
});

test.each([
  ["inside the issuer's: an hour back, whole seconds", {}, "2026-11-23T09:00:00.000Z", "2026-12-03T10:00:00.000Z"],
  [
    "not before the issuer",
    { notBefore: new Date("2026-11-23T09:59:00Z") },
    "2026-11-23T09:59:00.000Z",
    "2026-12-03T10:00:00.000Z",
  ],
  [
    "not after the issuer",
    { notAfter: new Date("2026-11-24T00:00:00Z") },
    "2026-11-23T09:00:00.000Z",
    "2026-11-24T00:00:00.000Z",
  ],
])("%s", (_what, issuer, notBefore, notAfter) => {
  expect(buildValidityWithin({ ...ISSUER, ...issuer }, 10, NOW)).toEqual({
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
  });
});

test("any number of days ends with the issuer", () => {
  expect(buildValidityWithin(ISSUER, 1e300, NOW).notAfter).toEqual(ISSUER.notAfter);
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("%d days are refused", (days) => {
  expect(() => buildValidityWithin(ISSUER, days, NOW)).toThrow(expect.objectContaining({ reason: "invalid_input" }));
});

test("years are years of the calendar", () => {
  expect(addYears(new Date("2026-11-23T10:00:00Z"), 35)).toEqual(new Date("2061-11-23T10:00:00Z"));
  expect(addYears(new Date("2028-02-29T10:00:00Z"), 15)).toEqual(new Date("2043-03-01T10:00:00Z"));
});
