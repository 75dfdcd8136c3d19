import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { type ClientRequest, createServer, type Server } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { CoreV1Api, KubeConfig, makeInformer } from "@kubernetes/client-node";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startApiServer } from "../src/api/api-server.ts";
import { type Credentials, loadCredentials, writeKubeconfig } from "../src/api/credentials.ts";
import { silentLogger } from "../src/logger.ts";
import { openRegistry, type RegistryFixture } from "./_registry.ts";

/** An API server alone, which remembers few changes. */
let registry: RegistryFixture;
let credentials: Credentials;
let url: string;
let folder: string;
const stack = new Set<AsyncDisposable>();

beforeEach(async () => {
  registry = openRegistry({ historyLimit: 5 });
  folder = mkdtempSync(join(tmpdir(), "cactus-api-"));
  credentials = await loadCredentials(folder, "127.0.0.1");
  const options = { registry: registry.registry, host: "127.0.0.1", port: 0, credentials };
  const server = await startApiServer({ ...options, findNode: () => undefined, logger: silentLogger });
  stack.add(server);
  url = server.url;
});
afterEach(async () => {
  for (const each of stack) await each[Symbol.asyncDispose]();
  stack.clear();
  registry[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  code: number;
  text: string;
}

function open(path: string, { method = "GET", token = credentials.token } = {}): ClientRequest {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return request(`${url}${path}`, { method, headers, ca: credentials.cert, agent: false });
}

async function call(
  method: string,
  path: string,
  { body, token = credentials.token }: { body?: object; token?: string } = {},
): Promise<Answer> {
  const sent = open(path, { method, token });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [answer] = await once(sent, "response");
  return { code: answer.statusCode, text: await text(answer) };
}

/** A server that a Pod `p` is said to be reached at; gives its port. */
async function serveAsPod(server: Server): Promise<number> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { api } = registry;
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "default" } };
  await api.create("pods", { ...pod, spec: { containers: [{ name: "c", image: "i" }] } });
  await api.patch({ resource: "pods", namespace: "default", name: "p" }, { status: { podIP: "127.0.0.1" } }, "status");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const proxied = (port: number): string => `/api/v1/namespaces/default/pods/p:${port}/proxy/path`;

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

async function createConfigMaps(count: number, prefix = "c"): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await call("POST", CONFIG_MAPS, { body: { metadata: { name: `${prefix}${index}` } } });
  }
}

test("callers need the token; the certificate is for this address, and kept with it", async () => {
  expect((await call("GET", CONFIG_MAPS)).code).toBe(200);
  for (const token of ["", "wrong", `${credentials.token}x`]) {
    const { code, text: said } = await call("GET", CONFIG_MAPS, { token });
    expect([code, JSON.parse(said).reason]).toEqual([401, "Unauthorized"]);
  }
  expect((await call("GET", "/readyz", { token: "" })).text).toBe("ok");
  expect(await loadCredentials(folder, "127.0.0.1")).toEqual(credentials);
  expect((await loadCredentials(folder, "192.0.2.1")).cert).not.toBe(credentials.cert);
  expect(statSync(join(folder, "api-server.json")).mode & 0o777).toBe(0o600);
});

test("what is too far back is gone: the rest of a list, a past state, a watch", async () => {
  await createConfigMaps(3, "a");
  const first = JSON.parse((await call("GET", `${CONFIG_MAPS}?limit=1`)).text);
  await createConfigMaps(20, "b");
  const { resourceVersion, continue: token } = first.metadata;
  const rest = await call("GET", `${CONFIG_MAPS}?limit=1&continue=${token}`);
  expect([rest.code, JSON.parse(rest.text)]).toMatchObject([410, { kind: "Status", reason: "Expired", code: 410 }]);
  const past = await call("GET", `${CONFIG_MAPS}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`);
  expect(past.code).toBe(410);
  const watch = await call("GET", `${CONFIG_MAPS}?watch=1&resourceVersion=${resourceVersion}`);
  expect(watch.code).toBe(200);
  expect(JSON.parse(watch.text)).toMatchObject({
    type: "ERROR",
    object: {
      kind: "Status",
      code: 410,
      reason: "Expired",
      message: expect.stringMatching(/^too old resource version: \d+ \(\d+\)$/),
    },
  });
});

test("an informer that is thrown back lists anew", async () => {
  const kubeconfig = join(folder, "kubeconfig");
  writeKubeconfig(kubeconfig, url, credentials);
  expect(statSync(kubeconfig).mode & 0o777).toBe(0o600);
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  let lists = 0;
  const informer = makeInformer(config, CONFIG_MAPS, async () => {
    lists += 1;
    const list = await core.listNamespacedConfigMap({ namespace: "default" });
    // So much happens before the watch begins that it is too late.
    if (lists === 1) await createConfigMaps(20, "late");
    return list;
  });
  await informer.start();
  await expect.poll(() => informer.list().length, { timeout: 20_000 }).toBe(20);
  expect(lists).toBe(2);
  await informer.stop();
});

test("a watch that its client leaves is forgotten", async () => {
  const listen = vi.spyOn(registry.registry.store, "listen");
  const sent = open(`${CONFIG_MAPS}?watch=1`);
  const [answer] = await once(sent.end(), "response");
  const forget = vi.spyOn(listen.mock.results[0]?.value, Symbol.dispose);
  answer.destroy();
  await expect.poll(() => forget.mock.calls.length).toBe(1);
});

test("a proxied request and its answer are streams, both ways at once", async () => {
  const echo = createServer((incoming, outgoing) => incoming.pipe(outgoing));
  const sent = open(proxied(await serveAsPod(echo)), { method: "POST" });
  sent.write("one");
  const [answer] = await once(sent, "response");
  expect(String((await once(answer, "data"))[0])).toBe("one");
  sent.write("two");
  expect(String((await once(answer, "data"))[0])).toBe("two");
  sent.end();
  await once(answer.resume(), "end");
  echo.close();
});

test("an endpoint whose client leaves is left too", async () => {
  const left = Promise.withResolvers<void>();
  const silent = createServer((incoming) => incoming.once("close", () => left.resolve()));
  const sent = open(proxied(await serveAsPod(silent)));
  sent.on("error", () => undefined).end();
  await once(silent, "request");
  sent.destroy();
  await left.promise;
  silent.close();
});
