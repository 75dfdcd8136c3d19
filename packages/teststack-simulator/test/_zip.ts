import { buffer } from "node:stream/consumers";
import { crc32 } from "node:zlib";
import { fromBufferPromise } from "yauzl";

/** Reads a whole zip with a reader that is no kin of its writer; checks every entry's sum. */
export async function readZip(bytes: Buffer): Promise<Record<string, Buffer>> {
  const entries: Record<string, Buffer> = {};
  const zip = await fromBufferPromise(bytes);
  for await (const entry of zip.eachEntry()) {
    const content = entry.fileName.endsWith("/") ? Buffer.of() : await buffer(await zip.openReadStreamPromise(entry));
    if (crc32(content) !== entry.crc32) throw new Error(`${entry.fileName} is broken`);
    entries[entry.fileName] = content;
  }
  return entries;
}
