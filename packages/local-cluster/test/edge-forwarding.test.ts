import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, request } from "node:https";
import { connect as connectPlain, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { beforeEach, expect, test } from "vitest";
import { startEdge } from "../src/edge/edge.ts";
import { buildIngress, type EdgeFixture, HOST, REWRITTEN, startEdgeFixture } from "./_edge.ts";
import { eventually } from "./_eventually.ts";

let fixture: EdgeFixture;

beforeEach(async () => {
  fixture = await startEdgeFixture({ clientTimeoutMs: 2000 });
  await fixture.serve("run-1", ["/run-1/(.*)"], { annotations: { ...REWRITTEN, "proxy-read-timeout": "1" } });
  await fixture.untilServed("/run-1/");
  return () => fixture[Symbol.asyncDispose]();
});

const head = (method: string, headers: string[], body = "") =>
  `${[`${method} /run-1/x HTTP/1.1`, `Host: ${HOST}`, ...headers].join("\r\n")}\r\n\r\n${body}`;
const closing = "Connection: close";

test("a body is buffered whole and sent on with its length, however it came", async () => {
  const chunked = "3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n";
  await fixture.send(head("POST", ["Transfer-Encoding: chunked", closing], chunked));
  await fixture.send(head("PUT", ["Content-Length: 5", closing], "hello"));
  await fixture.send(head("POST", ["Transfer-Encoding: Chunked", closing], "0\r\n\r\n"));
  await fixture.send(head("POST", [closing]));
  await fixture.send(head("DELETE", [closing]));
  expect(fixture.backend.seen.map(({ method, body, headers }) => [method, body, headers["content-length"]])).toEqual([
    ["POST", "abcdefg", "7"],
    ["PUT", "hello", "5"],
    ["POST", "", "0"],
    ["POST", "", "0"],
    ["DELETE", "", undefined],
  ]);
  for (const { headers } of fixture.backend.seen) {
    expect(headers).toMatchObject({ connection: "close" });
    expect(headers).not.toHaveProperty("transfer-encoding");
  }
});

test("nothing reaches the upstream before the body is whole", async () => {
  const socket = connect({ port: fixture.edge.port, servername: HOST, rejectUnauthorized: false });
  socket.write(head("POST", ["Transfer-Encoding: chunked", closing], "3\r\nabc\r\n"));
  await fixture.get("/run-1/between");
  socket.write("0\r\n\r\n");
  expect(await text(socket)).toMatch(/^HTTP\/1.1 200 OK/);
  expect(fixture.backend.seen.map(({ target }) => target)).toEqual(["/envoy/between", "/envoy/x"]);
});

test("a body above the limit is refused, told or not, and the limit is the Ingress's", async () => {
  const big = "x".repeat(1024 ** 2 + 1);
  const chunked = `${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`;
  expect(await fixture.send(head("POST", [`Content-Length: ${big.length}`, closing], big))).toMatchObject({
    status: 413,
  });
  expect(await fixture.send(head("POST", ["Transfer-Encoding: chunked", closing], chunked))).toMatchObject({
    status: 413,
  });
  expect(fixture.backend.seen).toEqual([]);
  const fits = big.slice(1);
  expect(await fixture.send(head("POST", [`Content-Length: ${fits.length}`, closing], fits))).toMatchObject({
    status: 200,
  });
  expect(fixture.backend.seen[0]?.body.length).toBe(1024 ** 2);
  const annotations = { ...REWRITTEN, "proxy-body-size": "2m" };
  const ingress = buildIngress("run-1", ["/run-1/(.*)"], { annotations });
  await fixture.cluster.update("ingresses", ingress);
  const send = () => fixture.send(head("POST", [`Content-Length: ${big.length}`, closing], big));
  await eventually(async () => (await send()).status).toBe(200);
});

test("Expect: 100-continue is answered, unless the request is refused", async () => {
  const ask = async (path: string, length: number): Promise<{ isContinued: boolean; status: number | undefined }> => {
    let isContinued = false;
    const headers = { Host: HOST, Expect: "100-continue", "Content-Length": length };
    const ours = request({
      port: fixture.edge.port,
      servername: HOST,
      path,
      method: "POST",
      headers,
      rejectUnauthorized: false,
    });
    ours.once("continue", () => {
      isContinued = true;
      ours.end("x".repeat(length));
    });
    ours.flushHeaders();
    const [response]: IncomingMessage[] = await once(ours, "response");
    ours.destroy();
    return { isContinued, status: response?.statusCode };
  };
  expect(await ask("/run-1/x", 5)).toEqual({ isContinued: true, status: 200 });
  expect(await ask("/run-1/x", 1024 ** 2 + 1)).toEqual({ isContinued: false, status: 413 });
  expect(await ask("/unknown", 5)).toEqual({ isContinued: false, status: 404 });
  expect(fixture.backend.seen[0]?.headers).not.toHaveProperty("expect");
});

test.each([
  ["both lengths", head("POST", ["Content-Length: 3", "Transfer-Encoding: chunked"], "0\r\n\r\n")],
  ["both lengths, the other way round", head("POST", ["Transfer-Encoding: chunked", "Content-Length: 5"], "0\r\n\r\n")],
  ["two lengths", head("POST", ["Content-Length: 3", "Content-Length: 4"], "abcd")],
  ["a list of lengths", head("POST", ["Content-Length: 3, 3"], "abc")],
  ["a signed length", head("POST", ["Content-Length: +3"], "abc")],
  ["a negative length", head("POST", ["Content-Length: -3"], "abc")],
  ["a hexadecimal length", head("POST", ["Content-Length: 0x3"], "abc")],
  ["an unknown coding last", head("POST", ["Transfer-Encoding: chunked, identity"], "0\r\n\r\n")],
  ["a coding that only looks right", head("POST", ["Transfer-Encoding: xchunked"], "0\r\n\r\n")],
  ["two codings", head("POST", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "0\r\n\r\n")],
  ["a chunk size that is none", head("POST", ["Transfer-Encoding: chunked"], "zz\r\nabc\r\n0\r\n\r\n")],
  ["a folded header", head("GET", ["X-A: b", " ssl-client-verify: SUCCESS"])],
  ["a space before the colon", head("GET", ["Content-Length : 3"], "abc")],
  ["a bare line feed", `GET /run-1/x HTTP/1.1\nHost: ${HOST}\n\n`],
  ["a bare carriage return", head("GET", ["X-A: b\rX-B: c"])],
  ["a NUL in a header", head("GET", ["X-A: b\0c"])],
  ["no host", "GET /run-1/x HTTP/1.1\r\n\r\n"],
  ["two hosts", head("GET", [`Host: ${HOST}`])],
  ["a space in the path", `GET /run-1/x y HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
  ["bytes beyond ASCII in the path", Buffer.from(`GET /run-1/\u00e9 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`, "latin1")],
  ["headers without end", head("GET", [`X-A: ${"x".repeat(40_000)}`])],
  ["an unknown version", `GET /run-1/x HTTP/3.1\r\nHost: ${HOST}\r\n\r\n`],
  ["no HTTP", "\u0016\u0003\u0001 hello\r\n\r\n"],
])("a request with %s is refused", async (_, bytes) => {
  expect(await fixture.send(bytes)).toMatchObject({ status: 400, body: expect.stringContaining("400 Bad Request") });
  expect(fixture.backend.seen).toEqual([]);
});

test("refuses codings and methods that it does not know, and old chunks", async () => {
  expect(await fixture.send(head("POST", ["Transfer-Encoding: gzip, chunked", closing], "0\r\n\r\n"))).toMatchObject({
    status: 501,
  });
  expect(await fixture.send(head("TRACE", [closing]))).toMatchObject({ status: 405 });
  const old = `POST /run-1/x HTTP/1.0\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
  expect(await fixture.send(old)).toMatchObject({ status: 400 });
  expect(fixture.backend.seen).toEqual([]);
});

test("answers without a body stay so, and HEAD keeps the length", async () => {
  fixture.backend.answer = ({ url = "" }, response) => {
    const status = Number(url.split("/").at(-1));
    response.writeHead(status, status === 200 ? { "Content-Length": "7", "X-A": "b" } : { "X-A": "b" }).end();
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const ask = async (method: string, path: string) => {
    const ours = request({
      agent,
      port: fixture.edge.port,
      servername: HOST,
      path,
      method,
      headers: { Host: HOST },
    }).end();
    const [response]: [IncomingMessage] = (await once(ours, "response")) as [IncomingMessage];
    return {
      status: response.statusCode,
      length: response.headers["content-length"],
      x: response.headers["x-a"],
      body: await text(response),
    };
  };
  expect(await ask("HEAD", "/run-1/200")).toEqual({ status: 200, length: "7", x: "b", body: "" });
  expect(await ask("GET", "/run-1/204")).toEqual({ status: 204, length: undefined, x: "b", body: "" });
  expect(await ask("GET", "/run-1/304")).toEqual({ status: 304, length: undefined, x: "b", body: "" });
  expect(await ask("HEAD", "/unknown")).toMatchObject({ status: 404, body: "" });
  agent.destroy();
});

test("an answer is passed on as it comes, without what is about the upstream's connection", async () => {
  let finish = (): void => undefined;
  fixture.backend.answer = (_request, response) => {
    response.setHeader("Connection", "close, X-Hop");
    response.setHeader("X-Hop", "1");
    response.setHeader("Set-Cookie", ["a=1", "b=2"]);
    response.writeHead(200, "Fine Then");
    response.write("first");
    finish = () => response.end("last");
  };
  const ours = request({
    port: fixture.edge.port,
    servername: HOST,
    path: "/run-1/x",
    headers: { Host: HOST },
    rejectUnauthorized: false,
  }).end();
  const [response] = (await once(ours, "response")) as [IncomingMessage];
  expect(response.statusMessage).toBe("Fine Then");
  expect(response.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
  expect(response.headers).not.toHaveProperty("x-hop");
  expect(String((await once(response, "data"))[0])).toBe("first");
  finish();
  expect(await text(response)).toBe("last");
});

test("an upstream that stays silent is a 504, before its answer or half way", async () => {
  fixture.backend.answer = () => undefined;
  expect((await fixture.get("/run-1/x")).status).toBe(504);
  fixture.backend.answer = (_request, response) => response.write("half");
  await expect(readToEnd()).rejects.toThrow();
});

test("an upstream that breaks off is a 502, and half an answer never looks whole", async () => {
  fixture.backend.answer = ({ socket }) => socket.destroy();
  expect((await fixture.get("/run-1/x")).status).toBe(502);
  fixture.backend.answer = ({ socket }) => socket.end("garbage\r\n\r\n");
  expect((await fixture.get("/run-1/x")).status).toBe(502);
  fixture.backend.answer = (request_, response) => response.write("half", () => request_.socket.destroy());
  await expect(readToEnd()).rejects.toThrow();
  fixture.backend.answer = (request_, response) => {
    response.writeHead(200, { "Content-Length": "10" });
    response.write("half", () => request_.socket.destroy());
  };
  await expect(readToEnd()).rejects.toThrow();
});

async function readToEnd(): Promise<string> {
  const options = { port: fixture.edge.port, servername: HOST, path: "/run-1/x", headers: { Host: HOST } };
  const ours = request({ ...options, rejectUnauthorized: false, agent: false }).end();
  const [response] = (await once(ours, "response")) as [IncomingMessage];
  return text(response);
}

test("a client that goes away takes its upstream request with it", async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  fixture.backend.answer = (_request, response) => asked.resolve(response);
  const socket = connect({ port: fixture.edge.port, servername: HOST, rejectUnauthorized: false });
  socket.write(head("GET", []));
  const response = await asked.promise;
  const gone = once(response, "close");
  socket.destroy();
  await gone;
  expect(response.writableFinished).toBe(false);
});

test("a client connection serves many requests; one that dawdles is ended", async () => {
  const second = head("GET", [closing]);
  const both = await fixture.send(head("GET", [], second));
  expect(both.status).toBe(200);
  expect(fixture.backend.seen.length).toBe(2);
  const slow = await Promise.all([
    fixture.send(`GET /run-1/x HTTP/1.1\r\nHost: ${HOST}\r\nX-`),
    fixture.send(head("POST", ["Content-Length: 10"], "abc")),
  ]);
  expect(slow.map(({ status }) => status)).toEqual([408, 408]);
  expect(fixture.backend.seen.length).toBe(2);
});

test("a client that stalls in its handshake, or holds a connection, does not keep the edge from stopping", async () => {
  const stalled = connectPlain(fixture.edge.port, "127.0.0.1");
  const open = connect({ port: fixture.edge.port, servername: HOST, rejectUnauthorized: false });
  await Promise.all([once(stalled, "connect"), once(open, "secureConnect")]);
  open.on("error", () => undefined);
  stalled.on("error", () => undefined);
  await fixture.edge[Symbol.asyncDispose]();
  await expect(fixture.get("/run-1/x")).rejects.toThrow("ECONNREFUSED");
  fixture = await startEdgeFixture();
  stalled.destroy();
  open.destroy();
});

test("says so when its port is taken", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  await expect(startEdge({ cluster: fixture.cluster, host: "127.0.0.1", port })).rejects.toThrow("EADDRINUSE");
  taken.close();
});
