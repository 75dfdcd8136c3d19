import { Time } from "pkijs";
import { PkiError } from "./pki-error.ts";

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Certificates begin this long before they are made, for devices whose clock is slow. */
const CLOCK_TOLERANCE_MS = 3_600_000;
const DAY_MS = 86_400_000;
const GENERALIZED_TIME = 1;
const UTC_TIME = 0;

/** Encodes a date as RFC 5280 section 4.1.2.5 wants it: UTCTime through 2049, GeneralizedTime from 2050, whole seconds. */
export function toTime(date: Date): Time {
  return new Time({ type: date.getUTCFullYear() < 2050 ? UTC_TIME : GENERALIZED_TIME, value: wholeSeconds(date) });
}

export function buildValidity(now: Date, notAfter: Date): Validity {
  return { notBefore: wholeSeconds(new Date(now.getTime() - CLOCK_TOLERANCE_MS)), notAfter: wholeSeconds(notAfter) };
}

/** Gives a validity of so many days from now that never reaches outside the issuer's. */
export function buildValidityWithin(issuer: Validity, days: number, now: Date): Validity {
  if (!(Number.isFinite(days) && days > 0)) throw new PkiError("invalid_input", "validityDays must be more than 0.");
  const wanted = buildValidity(now, new Date(Math.min(now.getTime() + days * DAY_MS, issuer.notAfter.getTime())));
  return { notBefore: later(wanted.notBefore, issuer.notBefore), notAfter: wanted.notAfter };
}

export function addYears(date: Date, years: number): Date {
  const moved = new Date(date);
  moved.setUTCFullYear(date.getUTCFullYear() + years);
  return moved;
}

export function later(a: Date, b: Date): Date {
  return a > b ? a : b;
}

export function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}

function wholeSeconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}
