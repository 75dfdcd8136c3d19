import type { IncomingMessage } from "node:http";
import { type Answer, jsonAnswer, textAnswer } from "../http/answer.ts";
import { readBody, tooLargeAnswer } from "../http/request-body.ts";
import { type RequestTarget, stripPrefix } from "../http/request-target.ts";
import type { Archive } from "./archive.ts";
import type { ClientProxy } from "./client-proxy.ts";
import type { Runner } from "./runner.ts";

/** One worker process of the runner, with the way through it. */
export interface Worker {
  readonly runner: Runner;
  readonly proxy: ClientProxy;
}

interface Call {
  readonly runner: Runner;
  readonly request: IncomingMessage;
  readonly id: string;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly answer: (call: Call) => Answer | Promise<Answer | Archive>;
}

/** The runner's own calls. Whatever fits none of them is a client's request, and goes through the proxy. */
const routes: Readonly<Record<string, Route>> = {
  "/health": {
    method: "GET",
    answer: ({ runner }) => ({ status: runner.stack.faults.unhealthy ? 503 : 200, body: "" }),
  },
  "/status": { method: "GET", answer: ({ runner }) => runner.status() },
  "/initialise": { method: "POST", answer: (call) => withBody(call, (body) => call.runner.initialise(body)) },
  "/start": { method: "POST", answer: ({ runner }) => runner.start() },
  "/finalize": { method: "POST", answer: ({ runner }) => runner.finalize() },
  "/next-test": { method: "POST", answer: (call) => withBody(call, (body) => call.runner.nextTest(body)) },
  "/request/{id}": { method: "GET", answer: findRequest },
  "/requests": { method: "GET", answer: listRequests },
  "/proceed": { method: "GET", answer: ({ runner }) => runner.proceed() },
  "/.well-known/csipaus": { method: "GET", answer: () => textAnswer(410, "CSIP-Aus v1.2 has no .well-known file.") },
};

/** Answers a request as the runner does, or the server that it proxies to. */
export async function answerRequest(
  { runner, proxy }: Worker,
  request: IncomingMessage,
  target: RequestTarget,
  proxyPrefix: string,
): Promise<Answer | Archive> {
  const [, id] = /^\/request\/([^{}/]+)$/.exec(target.route) ?? [];
  const route = routes[id === undefined ? target.route : "/request/{id}"];
  const call = route?.method === request.method ? route : undefined;
  if (call === undefined || target.route !== "/finalize") await runner.waitUntilFree();
  if (call !== undefined) return call.answer({ runner, request, id: id ?? "" });
  if (target.route.startsWith(`${proxyPrefix}/`)) return proxy.answer(request, stripPrefix(target, proxyPrefix));
  if (route === undefined) return textAnswer(404, "404: Not Found");
  const refusal = textAnswer(405, "405: Method Not Allowed");
  return { ...refusal, headers: { ...refusal.headers, Allow: route.method } };
}

async function withBody({ request }: Call, answer: (body: string) => Promise<Answer>): Promise<Answer> {
  const body = await readBody(request);
  return body === undefined ? tooLargeAnswer : answer(body);
}

function listRequests({ runner }: Call): Answer {
  const requestIds = runner.stack.files.listIds();
  return jsonAnswer(200, { requestIds, count: requestIds.length });
}

function findRequest({ runner, id }: Call): Answer {
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(id)) return jsonAnswer(400, { requestId: -1, request: null, response: null });
  const requestId = Number(id);
  const pair = runner.stack.files.find(requestId);
  if (pair.request === null && pair.response === null) {
    return { status: 404, headers: { "Content-Type": "application/json" }, body: "" };
  }
  return jsonAnswer(200, { requestId, ...pair });
}
