import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createOrchestratorClient, followRun } from "../src/index.ts";

const event = (id: number) => {
  const data = JSON.stringify({ id: String(id), at: "2026-11-23T00:00:00.000Z", kind: "x", message: "", detail: {} });
  return `data: ${data}\nid: ${id}\n\n`;
};

test("a stream that ends, and answers of a server that cannot serve now, are lived through", async () => {
  // A replica that leaves, an edge that finds none, and the next replica.
  const answers = [
    { status: 200, body: event(1) },
    { status: 503, body: "" },
    { status: 200, body: `${event(2)}event: return\ndata:\n\n` },
  ];
  const asked: unknown[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers["last-event-id"]);
    const { status, body } = answers.shift() ?? { status: 404, body: "" };
    response.writeHead(status, { "content-type": "text/event-stream" }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ids: string[] = [];
  for await (const { id } of followRun(createOrchestratorClient({ url, token: "t" }), { runId: "r" })) ids.push(id);
  expect(ids).toEqual(["1", "2"]);
  expect(asked).toEqual([undefined, "1", "1"]);
  server.close();
  server.closeAllConnections();
});
