import { expect } from "vitest";

type PollOptions = NonNullable<Parameters<typeof expect.poll>[1]>;

/** Expects that something becomes so, within a time that a busy machine keeps too. */
export function eventually<TValue>(check: () => TValue | Promise<TValue>, options: PollOptions = {}) {
  return expect.poll(check, { timeout: 20_000, interval: 20, ...options });
}
