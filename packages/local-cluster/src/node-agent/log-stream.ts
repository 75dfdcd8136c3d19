import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

const BLOCK_BYTES = 64 * 1024;
const FOLLOW_POLL_MS = 100;

export interface LogStreamOptions {
  /** Starts this many lines before the end. */
  tailLines?: number;
  /** Ends after this many bytes. */
  limitBytes?: number;
  /** Goes on at the end of the file for as long as this says so. */
  isWritten?: () => boolean;
}

/** Streams a log file, from its start or its last lines, to its end or along with whoever writes it. */
export function streamLog(file: string, options: LogStreamOptions): Readable {
  return Readable.from(readLog(file, options), { objectMode: false });
}

async function* readLog(file: string, options: LogStreamOptions): AsyncGenerator<Buffer> {
  const { tailLines, limitBytes = Number.POSITIVE_INFINITY, isWritten = () => false } = options;
  await using handle = await open(file);
  let position = tailLines === undefined ? 0 : await findTail(handle, tailLines);
  let left = limitBytes;
  while (left > 0) {
    // Asked before the file is read, so that the last words of a writer that ends now are still read.
    const isGoingOn = isWritten();
    const { size } = await handle.stat();
    // A file that was emptied for its size goes on from its start.
    if (size < position) position = 0;
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(BLOCK_BYTES, left)), { position });
    if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
    else if (isGoingOn) await sleep(FOLLOW_POLL_MS, undefined, { ref: false });
    else return;
    position += bytesRead;
    left -= bytesRead;
  }
}

/** Where the last `lines` lines begin; a last line without an end counts as one. */
async function findTail(handle: FileHandle, lines: number): Promise<number> {
  const { size } = await handle.stat();
  if (lines <= 0) return size;
  let missing = lines + 1;
  for (let end = size; end > 0; end -= BLOCK_BYTES) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), { position: start });
    for (let index = bytesRead - 1; index >= 0; index--) {
      const isLineEnd = buffer[index] === 0x0a;
      const isUnfinishedEnd = start + index === size - 1 && !isLineEnd;
      if (isLineEnd || isUnfinishedEnd) missing -= 1;
      if (missing === 0) return start + index + 1;
    }
  }
  return 0;
}
