/** A reader and writer of DER that owes nothing to the library under test. */

export interface DerNode {
  readonly tag: number;
  readonly content: Buffer;
  readonly children: readonly DerNode[];
  /** Tag, length and content. */
  readonly whole: Buffer;
}

export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OID: 0x06,
  UTF8String: 0x0c,
  PrintableString: 0x13,
  UTCTime: 0x17,
  GeneralizedTime: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

const TAG_NAMES = new Map<number, string>(Object.entries(TAG).map(([name, tag]) => [tag, name]));
const TEXT_TAGS: readonly number[] = [TAG.UTF8String, TAG.PrintableString, TAG.UTCTime, TAG.GeneralizedTime];

/** Reads one value that fills the buffer. Throws at whatever DER forbids in tags and lengths. */
export function readDer(der: Buffer): DerNode {
  const [node, ...rest] = readAll(der);
  if (node === undefined || rest.length > 0) throw new Error("not exactly one DER value");
  return node;
}

function readAll(der: Buffer): DerNode[] {
  const nodes: DerNode[] = [];
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at);
    const [length, start] = readLength(der, at + 1);
    const end = start + length;
    if (end > der.length) throw new Error("DER value is cut off");
    const content = der.subarray(start, end);
    const isConstructed = (tag & 0x20) !== 0;
    nodes.push({ tag, content, children: isConstructed ? readAll(content) : [], whole: der.subarray(at, end) });
    at = end;
  }
  return nodes;
}

function readLength(der: Buffer, at: number): [length: number, next: number] {
  const first = der.readUInt8(at);
  if (first < 0x80) return [first, at + 1];
  const octets = first & 0x7f;
  const length = der.readUIntBE(at + 1, octets);
  if (length < 0x80 || length < 2 ** (8 * (octets - 1))) throw new Error("DER length is not minimal");
  return [length, at + 1 + octets];
}

/** Prints a value as an indented tree. OCTET STRINGs that hold DER are printed as what they hold. */
export function printDer(der: Buffer): string {
  return print(readDer(der), 0).join("\n");
}

function print(node: DerNode, depth: number): string[] {
  const indent = "  ".repeat(depth);
  const name = TAG_NAMES.get(node.tag) ?? `[${node.tag & 0x1f}]`;
  const inner = node.tag === TAG.OCTET_STRING ? tryRead(node.content) : undefined;
  if (inner !== undefined) return [`${indent}${name} holding`, ...print(inner, depth + 1)];
  if ((node.tag & 0x20) !== 0)
    return [`${indent}${name}`, ...node.children.flatMap((child) => print(child, depth + 1))];
  return [`${indent}${name} ${printContent(node)}`.trimEnd()];
}

function printContent({ tag, content }: DerNode): string {
  if (tag === TAG.OID) return decodeOid(content);
  return TEXT_TAGS.includes(tag) ? content.toString("utf8") : content.toString("hex");
}

function tryRead(content: Buffer): DerNode | undefined {
  try {
    return readDer(content);
  } catch {
    return undefined;
  }
}

export function decodeOid(content: Buffer): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [first = 0, ...rest] = arcs;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join(".");
}

export function writeDer(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const size: number[] = [];
  for (let left = content.length; left > 0; left = Math.floor(left / 256)) size.unshift(left % 256);
  const length = content.length < 0x80 ? [content.length] : [0x80 | size.length, ...size];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

export function sequence(...items: Uint8Array[]): Buffer {
  return writeDer(TAG.SEQUENCE, ...items);
}

export function oid(dotted: string): Buffer {
  const [root = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return writeDer(TAG.OID, ...[root * 40 + second, ...rest].map(encodeArc));
}

function encodeArc(arc: number): Buffer {
  const octets = [arc % 128];
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) octets.unshift(0x80 | (left % 128));
  return Buffer.from(octets);
}

export function bitString(content: Uint8Array, unusedBits = 0): Buffer {
  return writeDer(TAG.BIT_STRING, Buffer.from([unusedBits]), content);
}

export function integer(...octets: number[]): Buffer {
  return writeDer(TAG.INTEGER, Buffer.from(octets));
}

export function octetString(content: Uint8Array): Buffer {
  return writeDer(TAG.OCTET_STRING, content);
}
