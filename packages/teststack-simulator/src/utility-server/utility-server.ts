import type { Answer } from "../http/answer.ts";
import { type Client, computeSfdi } from "../runner/client-certificate.ts";
import * as sep from "./sep-documents.ts";
import { findXmlRoot, findXmlText } from "./xml-body.ts";

export interface ClientRequest {
  readonly method: string;
  /** Decoded, without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
  readonly client: Client;
}

interface Resource {
  readonly path: RegExp;
  /** Whether the id in the path must be that of a registered device. */
  readonly ofDevice?: true;
  readonly methods: Readonly<Record<string, (request: ClientRequest, id: number) => Answer>>;
}

/**
 * A miniature IEEE 2030.5 server, in the place of envoy: what a client finds when it starts at `/dcap` and follows the
 * links to the time, to its EndDevice and to its DER. Links that lead further are named as envoy names them and are 404.
 */
export class UtilityServer {
  readonly devices: sep.EndDevice[] = [];
  /** The parameters of `set-comms-rate`, in seconds. */
  rates: Readonly<Record<string, unknown>> = {};
  readonly #hrefPrefix: string;
  readonly #now: () => Date;

  constructor(hrefPrefix: string, now: () => Date) {
    this.#hrefPrefix = hrefPrefix;
    this.#now = now;
  }

  /** Forgets devices and rates, as the runner makes envoy do when a first test is initialised. */
  reset(): void {
    this.devices.length = 0;
    this.rates = {};
  }

  /** Gives the device's id. Registering one again replaces it. */
  register(lfdi: string, client: Client, deviceCategory = 0): number {
    const aggregatorId = client.kind === "aggregator" ? 1 : 0;
    const device = { lfdi, sfdi: computeSfdi(lfdi), deviceCategory, aggregatorId, changedAt: this.#now() };
    const index = this.devices.findIndex((known) => known.lfdi === lfdi);
    if (index === -1) return this.devices.push(device);
    this.devices[index] = device;
    return index + 1;
  }

  answer(request: ClientRequest): Answer {
    const { headers, body, ...answer } = this.#find(request);
    const location = headers?.["Location"];
    return {
      ...answer,
      headers: location === undefined ? headers : { Location: `${this.#hrefPrefix}${location}` },
      body: body?.replaceAll(' href="', ` href="${this.#hrefPrefix}`),
    };
  }

  #find(request: ClientRequest): Answer {
    for (const { path, ofDevice, methods } of this.#resources) {
      const match = path.exec(request.path);
      if (match === null) continue;
      const id = Number(match[1] ?? 0);
      if (ofDevice && this.devices[id - 1] === undefined) break;
      const handler = methods[request.method === "HEAD" ? "GET" : request.method];
      return handler?.(request, id) ?? sep.sepError(405, "Method Not Allowed");
    }
    return sep.sepError(404, "Not Found");
  }

  readonly #resources: readonly Resource[] = [
    { path: /^\/dcap$/, methods: { GET: ({ client }) => this.#getDeviceCapability(client) } },
    { path: /^\/tm$/, methods: { GET: () => sep.sepAnswer(200, sep.time(this.#now())) } },
    {
      path: /^\/edev$/,
      methods: { GET: (request) => this.#listDevices(request), POST: (request) => this.#postDevice(request) },
    },
    { path: /^\/edev\/0$/, methods: { GET: ({ client }) => this.#getAggregator(client) } },
    {
      path: /^\/edev\/(\d{1,9})$/,
      ofDevice: true,
      methods: { GET: (_, id) => sep.sepAnswer(200, this.#toEndDevices()[id - 1] ?? "") },
    },
    { path: /^\/edev\/(\d{1,9})\/der$/, ofDevice: true, methods: { GET: (_, id) => this.#listDers(id) } },
    {
      path: /^\/edev\/(\d{1,9})\/der\/1\/(?:dercap|derg|ders|dera)$/,
      ofDevice: true,
      methods: { PUT: () => ({ status: 204 }) },
    },
    { path: /^\/mup$/, methods: { GET: () => this.#listMirrorUsagePoints() } },
  ];

  #getDeviceCapability(client: Client): Answer {
    return sep.sepAnswer(200, sep.deviceCapability(this.#rate("dcap_poll_seconds"), this.#visibleTo(client).length));
  }

  #listDevices({ client, query }: ClientRequest): Answer {
    const attributes = { href: "/edev", subscribable: 1, pollRate: this.#rate("edev_list_poll_seconds") } as const;
    return sep.sepAnswer(200, sep.list("EndDeviceList", attributes, this.#visibleTo(client), query));
  }

  #getAggregator(client: Client): Answer {
    if (client.kind === "aggregator") return sep.sepAnswer(200, this.#visibleTo(client)[0] ?? "");
    return sep.sepError(403, `Client ${client.lfdi} doesn't have access to this resource`);
  }

  #postDevice({ body, client }: ClientRequest): Answer {
    const lfdi = findXmlText(body, "lFDI")?.toLowerCase() ?? client.lfdi;
    if (findXmlRoot(body)?.replace(/^.*:/, "") !== "EndDevice" || !/^[0-9a-f]{40}$/.test(lfdi)) {
      return sep.sepError(400, "request body couldn't map to model XML");
    }
    if (client.kind === "device" && lfdi !== client.lfdi) {
      return sep.sepError(403, "lFDI doesn't match the client's certificate");
    }
    const category = Number.parseInt(findXmlText(body, "deviceCategory") ?? "0", 16);
    const id = this.register(lfdi, client, Number.isNaN(category) ? 0 : category);
    return { status: 201, headers: { Location: `/edev/${id}` }, body: "" };
  }

  #listDers(id: number): Answer {
    const href = `/edev/${id}/der`;
    const attributes = { href, pollRate: this.#rate("der_list_poll_seconds") };
    return sep.sepAnswer(200, sep.list("DERList", attributes, [sep.der(`${href}/1`)]));
  }

  #listMirrorUsagePoints(): Answer {
    const attributes = { href: "/mup", pollRate: this.#rate("mup_post_seconds") };
    return sep.sepAnswer(200, sep.list("MirrorUsagePointList", attributes, []));
  }

  /** An aggregator finds itself at the head of its devices. */
  #visibleTo(client: Client): string[] {
    if (client.kind === "device") return this.#toEndDevices();
    const itself = { lfdi: client.lfdi, sfdi: computeSfdi(client.lfdi), deviceCategory: 0, aggregatorId: 1 };
    return [sep.aggregatorDevice({ ...itself, changedAt: this.#now() }), ...this.#toEndDevices()];
  }

  #toEndDevices(): string[] {
    return this.devices.map((device, index) => sep.endDevice(index + 1, device));
  }

  /** 300 s is what envoy says where nothing was set. */
  #rate(name: string): number {
    return Number(this.rates[name] ?? 300);
  }
}
