import { readdirSync, readFileSync } from "node:fs";
import type { Reply } from "./_http.ts";

const folder = new URL("./runner-samples/", import.meta.url);

/** A recorded request and its answer. */
export interface Sample {
  /** As in `GET /dcap`. */
  line: string;
  requestHeaders: Record<string, string>;
  status: number;
  reason: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: string;
}

export function listSamples(): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .map((name) => name.replace(/\.txt$/, ""));
}

/** Reads a recording. One has the body alone: that of a status. */
export function readSample(name: string): Sample {
  const text = readFileSync(new URL(`${name}.txt`, folder), "utf8");
  const lines = text.split("\n");
  const taken = lines.findIndex((line) => !/^[<>] /.test(line));
  const [line = "GET /status", ...sent] = lines.slice(0, taken).flatMap((each) => /^> (.*)/.exec(each)?.[1] ?? []);
  const [status = "200 OK", ...received] = lines.slice(0, taken).flatMap((each) => /^< (.*)/.exec(each)?.[1] ?? []);
  return {
    line,
    requestHeaders: toHeaders(sent),
    status: Number(status.slice(0, 3)),
    reason: status.slice(4),
    headers: taken === 0 ? { "content-type": "application/json; charset=utf-8" } : toLowerCase(toHeaders(received)),
    body: lines.slice(taken === 0 ? 0 : taken + 1).join("\n"),
  };
}

/** What must be the same in a recording and in the simulator's answer to the same request. */
export function toComparable(answer: Sample | Reply): Record<string, unknown> {
  const body = "text" in answer ? answer.text : answer.body;
  const type = String(answer.headers["content-type"] ?? "");
  return {
    status: `${answer.status} ${answer.reason}`,
    contentType: type,
    location: answer.headers["location"],
    disposition: maskTimes(String(answer.headers["content-disposition"] ?? "")),
    closes: type === "application/sep+xml" ? answer.headers["connection"] : undefined,
    body: type === "application/zip" ? "" : maskBody(body, type),
  };
}

/** Puts one word for what differs from one recording to the next: times, addresses, logs, the lines of a traceback. */
function maskBody(body: string, type: string): unknown {
  if (!type.startsWith("application/json") || body === "") return maskTimes(body);
  return JSON.parse(body, (key, value) => {
    if (typeof value !== "string") return value;
    if (key === "logEnvoy") return "<log>";
    if (key === "traceback")
      return [value.split("\n")[0], value.trim().split("\n").at(-1)].map((line) => maskTimes(line ?? ""));
    if (key === "request" || key === "response") return maskExchange(value);
    return maskTimes(value);
  });
}

function maskTimes(text: string): string {
  return text
    .replace(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{6}Z|\+00:00)/g, "<time>")
    .replace(/<(currentTime|changedTime)>\d{10}</g, "<$1>…<")
    .replace(/(127\.0\.0\.1'?[:,] ?)\d+/g, "$1<port>");
}

/** The lines of a recorded exchange in no order, without those that only the recording's own client and server wrote. */
function maskExchange(text: string): string[] {
  return maskTimes(text)
    .replace(/# Epoch: \d+\.\d+/, "# Epoch: <epoch>")
    .replace(/^Date: .*$/m, "Date: <date>")
    .split("\n")
    .filter((line) => !/^(Server|Connection): /.test(line))
    .sort();
}

function toHeaders(lines: string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
  );
}

function toLowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
