import { createCipheriv } from "node:crypto";
import { Readable } from "node:stream";

export interface ArchiveEntry {
  readonly name: string;
  readonly content: string;
}

/** The zip of a finished test. Its bytes are made anew, and the same, each time it is opened. */
export class Archive {
  readonly procedureName: string;
  readonly createdAt: Date;
  readonly #entries: readonly ArchiveEntry[];
  readonly #fillerBytes: number;

  constructor(options: {
    procedureName: string;
    createdAt: Date;
    entries: readonly ArchiveEntry[];
    fillerMib: number;
  }) {
    this.procedureName = options.procedureName;
    this.createdAt = options.createdAt;
    this.#entries = options.entries;
    this.#fillerBytes = options.fillerMib * 1024 * 1024;
  }

  /** Gives the size before the first byte. Only the named entries are ever held in memory, not the filler. */
  async open(): Promise<{ size: number; stream: Readable }> {
    const { ZipFile } = await import("yazl");
    const zip = new ZipFile();
    // Entries are stored as they are: what deflating would make of them is not known before the first byte.
    const attributes = { mtime: this.createdAt, compress: false };
    if (this.#entries.some((entry) => entry.name.startsWith("requests/"))) {
      zip.addEmptyDirectory("requests", { mtime: this.createdAt });
    }
    for (const { name, content } of this.#entries) zip.addBuffer(Buffer.from(content), name, attributes);
    const size = this.#fillerBytes;
    if (size > 0) {
      const fill = (done: FillerReady): void => done(null, Readable.from(generateFiller(size)));
      zip.addReadStreamLazy("filler.bin", { ...attributes, size }, fill);
    }
    const ending = { forceZip64Format: false, comment: "" };
    // The declared type of the callback leaves out its argument, the size.
    const total = await new Promise<number>((resolve) => zip.end(ending, resolve as () => void));
    return { size: total, stream: zip.outputStream as Readable };
  }
}

type FillerReady = (error: null, stream: Readable) => void;

/** Gives bytes that no compression shortens: the key stream of a cipher, always the same. */
function* generateFiller(size: number): Generator<Buffer> {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(64 * 1024);
  for (let left = size; left > 0; left -= zeros.length) yield cipher.update(zeros.subarray(0, left));
}
