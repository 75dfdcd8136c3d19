import { type IncomingMessage, STATUS_CODES } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, textAnswer, UnforeseenError } from "../http/answer.ts";
import { readBody, tooLargeAnswer } from "../http/request-body.ts";
import { parseTarget, percentDecode, type RequestTarget } from "../http/request-target.ts";
import { listXmlErrors } from "../utility-server/xml-body.ts";
import { parseClientHeader } from "./client-certificate.ts";
import type { Runner } from "./runner.ts";
import type { TestRun } from "./test-run.ts";
import { toTimestamp } from "./timestamp.ts";

/** Where the runner would reach envoy; it stands in the request log. */
const envoyUrl = "http://127.0.0.1:8000";

/** The way of the clients' requests through a runner to the 2030.5 server: one at a time, and all of them recorded. */
export class ClientProxy {
  readonly #runner: Runner;
  #last: Promise<unknown> = Promise.resolve();

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  async answer(request: IncomingMessage, target: RequestTarget): Promise<Answer> {
    const { run } = this.#runner;
    if (run === undefined) {
      return textAnswer(400, "Unable to handle request. An active test procedure is required.");
    }
    if (run.finishedAt !== undefined) {
      return textAnswer(410, `${run.name} has been marked as finished. This request will not be logged.`);
    }
    const receivedAt = this.#runner.stack.now();
    const [header] = request.headersDistinct["ssl-client-cert"] ?? [];
    if (header === undefined || parseClientHeader(header) !== run.client.lfdi) {
      return textAnswer(403, "Forwarded certificate does not match for registered aggregator");
    }
    this.#runner.note("Request Proxied", receivedAt);
    const turn = this.#last.then(() => this.#forward({ request, target, run, receivedAt }));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #forward(forwarded: Forwarded): Promise<Answer> {
    const { request, target, run } = forwarded;
    const { faults, utilityServer } = this.#runner.stack;
    const trigger = { method: request.method ?? "", path: target.path, isFirstPage: isFirstPage(target.query) };
    let step = this.#runner.trigger(run, { ...trigger, isServed: false });
    if (request.headers["transfer-encoding"] !== undefined) {
      // The real runner passes the header on and then waits for a body in pieces that it has itself read whole.
      await sleep(faults.chunkedHangSeconds * 1000, undefined, { ref: false });
      throw new UnforeseenError("TimeoutError", "");
    }
    const body = await readBody(request);
    if (body === undefined) return tooLargeAnswer;
    if (faults.envoyDown) throw new UnforeseenError("aiohttp.client_exceptions.ClientConnectorError", connectFailure);
    const url = joinUrl(target.raw);
    const served = parseTarget(url);
    const path = percentDecode(new URL(url).pathname);
    const answer = utilityServer.answer({
      method: trigger.method,
      path,
      query: served.query,
      body,
      client: run.client,
    });
    step ??= this.#runner.trigger(run, { ...trigger, isServed: true });
    return this.#record(forwarded, { step, url, body, answer });
  }

  /** Gives the answer with the headers that envoy sends. */
  #record({ request, target, run, receivedAt }: Forwarded, { step, url, body, answer }: Served): Answer {
    const { files, logs, now } = this.#runner.stack;
    const { Location, ...others } = answer.headers ?? {};
    const headers: Record<string, string> = Location === undefined ? {} : { Location };
    if (answer.body !== undefined) headers["Content-Length"] = String(Buffer.byteLength(answer.body));
    Object.assign(headers, others, { Connection: "close" });
    const entry = {
      url,
      path: target.path,
      method: request.method ?? "",
      status: answer.status,
      timestamp: receivedAt,
      stepName: step ?? (run.enabledSteps.length > 0 ? "Unmatched" : "Init"),
      bodyXmlErrors: listXmlErrors(body),
      requestId: run.requestHistory.length,
    };
    run.requestHistory.push(entry);
    const answeredAt = now();
    const requestText = [`${entry.method} ${entry.path} HTTP/1.1`, ...toHeaderLines(request.rawHeaders)];
    const responseText = [
      `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}`,
      `Date: ${answeredAt.toUTCString()}`,
      ...toHeaderLines(Object.entries(headers).flat()),
    ];
    files.write(
      { id: entry.requestId, step: entry.stepName, path: entry.path },
      {
        request: joinParts(receivedAt, "request received", requestText, body),
        response: joinParts(answeredAt, "envoy response received", responseText, answer.body ?? ""),
      },
    );
    logs.envoy.write(answeredAt, "uvicorn.access", `"${entry.method} ${entry.path} HTTP/1.1" ${answer.status}`);
    return { ...answer, headers };
  }
}

interface Forwarded {
  readonly request: IncomingMessage;
  readonly target: RequestTarget;
  readonly run: TestRun;
  readonly receivedAt: Date;
}

interface Served {
  readonly step: string | undefined;
  readonly url: string;
  readonly body: string;
  readonly answer: Answer;
}

const connectFailure = "Cannot connect to host 127.0.0.1:8000 ssl:default [Connect call failed ('127.0.0.1', 8000)]";

/** Lists are walked in pages, and only the first page of one makes a step happen. */
function isFirstPage(query: URLSearchParams): boolean {
  const start = query.get("s") ?? "0";
  if (/^\s*[+-]?\d+\s*$/.test(start)) return Number(start) === 0;
  throw new UnforeseenError("ValueError", `invalid literal for int() with base 10: '${start}'`);
}

/** Joins as the runner does, which drops slashes at both ends of the path. */
function joinUrl(pathAndQuery: string): string {
  const rest = pathAndQuery.replace(/^\/+|\/+$/g, "");
  return rest === "" ? envoyUrl : `${envoyUrl}/${rest}`;
}

function toHeaderLines(flat: readonly string[]): string[] {
  return flat.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${flat[at + 1]}`] : []));
}

function joinParts(at: Date, source: string, lines: readonly string[], body: string): string {
  const about = [`# Epoch: ${at.getTime() / 1000}`, `# UTC: ${toTimestamp(at)}`, `# Time source: runner (${source})`];
  return [...about, ...lines, ...(body === "" ? [] : ["", body])].join("\n");
}
