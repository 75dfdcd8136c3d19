import { randomInt } from "node:crypto";

/** Digits and lower-case letters without vowels, so that no words come out. */
const ALPHABET = "0123456789bcdfghjklmnpqrstvwxz";
const LENGTH = 12;

/**
 * Makes a new name: for a StatefulSet (at most 52 characters, so that its Pods get their revision label), a Service
 * (DNS-1035: begins with a letter), an Ingress, and the first segment of the public path. 58 random bits.
 */
export function newTeststackName(random: (max: number) => number = (max) => randomInt(max)): string {
  const characters = Array.from({ length: LENGTH }, () => ALPHABET[random(ALPHABET.length)]);
  return `ts-${characters.join("")}`;
}
