import type { Answer } from "../http/answer.ts";

/** A device that a client, or a procedure's precondition, has registered. */
export interface EndDevice {
  readonly lfdi: string;
  readonly sfdi: number;
  readonly deviceCategory: number;
  readonly aggregatorId: number;
  readonly changedAt: Date;
}

type Attributes = Readonly<Record<string, string | number>>;

const namespaces: Attributes = {
  xmlns: "urn:ieee:std:2030.5:ns",
  "xmlns:csipaus": "https://csipaus.org/ns",
  "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
};

/** Answers with a document of IEEE 2030.5 (`application/sep+xml`). */
export function sepAnswer(status: number, document: string): Answer {
  const [root = ""] = /^<[\w:]+/.exec(document) ?? [];
  const body = `${root}${writeAttributes(namespaces)}${document.slice(root.length)}`;
  return { status, headers: { "Content-Type": "application/sep+xml" }, body };
}

export function sepError(status: number, message: string): Answer {
  return sepAnswer(status, element("Error", {}, [`<reasonCode>0</reasonCode><message>${message}</message>`]));
}

function element(name: string, attributes: Attributes, content: readonly string[] = []): string {
  const start = `<${name}${writeAttributes(attributes)}`;
  return content.length === 0 ? `${start}/>` : `${start}>${content.join("")}</${name}>`;
}

function link(name: string, href: string, all?: number): string {
  return element(name, all === undefined ? { href } : { href, all });
}

/** Writes one page of a list: one item, as the standard has it, unless the query's `l` asks for more. */
export function list(
  name: string,
  attributes: { href: string; pollRate: number; subscribable?: 1 },
  items: readonly string[],
  query = new URLSearchParams(),
): string {
  const { href, pollRate, ...subscribable } = attributes;
  const start = Number(query.get("s") ?? 0);
  const page = items.slice(start, start + Number(query.get("l") ?? 1));
  return element(name, { href, ...subscribable, all: items.length, results: page.length, pollRate }, page);
}

export function deviceCapability(pollRate: number, devices: number): string {
  return element("DeviceCapability", { href: "/dcap", pollRate }, [
    link("TimeLink", "/tm"),
    link("EndDeviceListLink", "/edev", devices),
    link("MirrorUsagePointListLink", "/mup", 0),
  ]);
}

export function time(now: Date): string {
  const fixed =
    "<dstEndTime>0</dstEndTime><dstOffset>0</dstOffset><dstStartTime>0</dstStartTime><quality>4</quality><tzOffset>0</tzOffset>";
  return element("Time", { href: "/tm" }, [`<currentTime>${toEpochSeconds(now)}</currentTime>`, fixed]);
}

export function endDevice(id: number, device: EndDevice): string {
  const href = `/edev/${id}`;
  return element("EndDevice", { href, subscribable: 1 }, [
    link("DERListLink", `${href}/der`, 1),
    `<deviceCategory>${device.deviceCategory.toString(16).padStart(2, "0")}</deviceCategory>`,
    `<lFDI>${device.lfdi.toUpperCase()}</lFDI>`,
    link("LogEventListLink", `${href}/lel`),
    `<sFDI>${device.sfdi}</sFDI><changedTime>${toEpochSeconds(device.changedAt)}</changedTime><enabled>true</enabled>`,
    link("FunctionSetAssignmentsListLink", `${href}/fsa`, 1),
    link("RegistrationLink", `${href}/rg`),
    link("csipaus:ConnectionPointLink", `${href}/cp`),
  ]);
}

/** Writes the device 0, which stands for an aggregator itself. */
export function aggregatorDevice({ lfdi, sfdi, changedAt }: EndDevice): string {
  return element("EndDevice", { href: "/edev/0", subscribable: 0 }, [
    `<deviceCategory>00</deviceCategory><lFDI>${lfdi.toUpperCase()}</lFDI><sFDI>${sfdi}</sFDI>`,
    `<changedTime>${toEpochSeconds(changedAt)}</changedTime><enabled>true</enabled>`,
    link("SubscriptionListLink", "/edev/0/sub", 0),
  ]);
}

export function der(href: string): string {
  return element("DER", { href }, [
    link("AssociatedDERProgramListLink", `${href}/derp`),
    link("DERAvailabilityLink", `${href}/dera`),
    link("DERCapabilityLink", `${href}/dercap`),
    link("DERSettingsLink", `${href}/derg`),
    link("DERStatusLink", `${href}/ders`),
  ]);
}

function writeAttributes(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${value}"`)
    .join("");
}

function toEpochSeconds(moment: Date): number {
  return Math.floor(moment.getTime() / 1000);
}
