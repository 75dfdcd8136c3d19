import { setTimeout as sleep } from "node:timers/promises";

/** What a network can do to its connections. */
export type Trouble =
  | { kind: "none" }
  /** All connections are reset, new ones at once. */
  | { kind: "refused" }
  /** A connection is reset when so much of an answer has passed. */
  | { kind: "reset"; afterBytes: number }
  /** Nothing passes and nothing is closed. What was lost in it stays lost when it is over. */
  | { kind: "black hole" }
  /** Each way. */
  | { kind: "latency"; milliseconds: number }
  | { kind: "throttle"; bytesPerSecond: number };

const SLICES_PER_SECOND = 20;

/** Yields the bytes in their own time. */
export async function* slowDown(bytes: Buffer, trouble: Trouble): AsyncGenerator<Buffer> {
  if (trouble.kind === "latency") await sleep(trouble.milliseconds);
  if (trouble.kind !== "throttle") {
    yield bytes;
    return;
  }
  const length = Math.ceil(trouble.bytesPerSecond / SLICES_PER_SECOND);
  for (let start = 0; start < bytes.length; start += length) {
    await sleep(1_000 / SLICES_PER_SECOND);
    yield bytes.subarray(start, start + length);
  }
}
