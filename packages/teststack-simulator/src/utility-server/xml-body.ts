/** Elements that a 2030.5 client sends as a body; a schema would name them. */
const knownRoots = new Set(
  (
    "EndDevice DERCapability DERSettings DERStatus DERAvailability MirrorUsagePoint MirrorMeterReading " +
    "MirrorMeterReadingList Subscription ConnectionPoint Response DERControlResponse LogEvent PowerStatus DeviceInformation"
  ).split(" "),
);

const tagPattern = /^<(\/?)([A-Za-z_][\w.:-]*)(?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>$/;

/** Tells what a body has wrong as XML; of the schema only the names of the root elements are known. */
export function listXmlErrors(body: string): string[] {
  if (body === "") return [];
  const root = findXmlRoot(body);
  if (root === undefined) return [`The provided body '${body.slice(0, 32)}'... does NOT parse as XML`];
  if (knownRoots.has(root.replace(/^.*:/, ""))) return [];
  return [`1: Element '${root}': No matching global declaration available for the validation root.`];
}

/** Gives the name of the root element of a well-formed document. */
export function findXmlRoot(body: string): string | undefined {
  const document = body
    .trim()
    .replace(/^<\?xml\b[^>]*\?>/, "")
    .replace(/<!--.*?-->/gs, "");
  const open: string[] = [];
  const roots: string[] = [];
  for (const piece of document.split(/(<[^>]*>)/)) {
    const tag = tagPattern.exec(piece);
    if (tag === null ? !isText(piece, open.length > 0) : !walk(tag, open, roots)) return undefined;
  }
  return open.length === 0 && roots.length === 1 ? roots[0] : undefined;
}

/** Between tags there is only text, and outside of the root only blanks. */
function isText(piece: string, isInside: boolean): boolean {
  return isInside ? !piece.includes("<") : piece.trim() === "";
}

/** Follows a tag into or out of its element; tells whether one can. */
function walk([, closes, name = "", isEmpty]: RegExpExecArray, open: string[], roots: string[]): boolean {
  if (closes) return open.pop() === name;
  if (open.length === 0) roots.push(name);
  if (!isEmpty) open.push(name);
  return true;
}

/** Gives the text of the first element of this name, whatever its namespace prefix. */
export function findXmlText(body: string, name: string): string | undefined {
  return new RegExp(`<(?:[\\w.-]+:)?${name}(?:\\s[^>]*)?>([^<]*)<`).exec(body)?.[1]?.trim();
}
