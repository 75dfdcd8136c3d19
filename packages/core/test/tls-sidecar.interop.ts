import { spawn } from "node:child_process";
import dns from "node:dns";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { ConnectionOptions } from "node:tls";
import { type Simulator, startSimulator } from "@cactus/teststack-simulator";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createRunnerClient, type RunnerCredentials, viaEncryptedService } from "../src/runner/index.ts";
import { buildPod, buildTlsSecret, type Template } from "../src/teststack/index.ts";
import { createInternalPki, INTERNAL_CALLERS, type InternalPki, toCredentials } from "./_internal-pki.ts";

/** The sidecar's own command on the files of its Secret, in front of a simulated runner. */

const NAMESPACE = "test-execution";
const NAME = "ts-abc";

let pki: InternalPki;
let simulator: Simulator;
let port: number;
const cleanups = new AsyncDisposableStack();

beforeAll(async () => {
  pki = await createInternalPki();
  simulator = cleanups.use(await startSimulator({}));
  port = await freePort();
  await startSidecar(Number(new URL(simulator.url).port));
});
afterAll(() => cleanups.disposeAsync());

test.each(Object.entries(INTERNAL_CALLERS))("%s: let in %s", async (_, [isLetIn, issue]) => {
  const credentials = toCredentials(await issue(pki), await pki.issueInstance(NAME, NAMESPACE));
  const answer = await get("/health", credentials).catch((error: Error) => error);
  if (isLetIn) expect(answer).toMatchObject({ status: 200 });
  else expect(answer).toBeInstanceOf(Error);
});

test("nobody without a certificate, and nobody without TLS", async () => {
  const { ca } = toCredentials(await pki.issueInstance(NAME, NAMESPACE));
  await expect(get("/health", { ca })).rejects.toThrow();
  const socket = connect(port, "127.0.0.1").end("GET /health HTTP/1.0\r\n\r\n");
  expect(await text(socket).catch(() => "")).not.toContain("200");
});

test("the runner's client speaks through it, and verifies the instance by its name", async () => {
  const resolve = vi.spyOn(dns, "lookup").mockImplementation(((_host, options, callback) => {
    const [address, family] = ["127.0.0.1", 4];
    if ((options as dns.LookupOptions).all) callback(null, [{ address, family }] as never, family);
    else callback(null, address as never, family);
  }) as typeof dns.lookup);
  let credentials = toCredentials(await pki.issue("orchestrator.cactus-orchestrator", "client"));
  await using access = viaEncryptedService(async () => credentials);
  const ask = (serviceName: string) => createRunnerClient(access({ namespace: NAMESPACE, serviceName, port })).health();
  try {
    await expect(ask(NAME)).resolves.not.toThrow();
    await expect(ask("ts-other")).rejects.toMatchObject({ kind: "silent" });
    credentials = toCredentials(await pki.issueInstance("ts-other", NAMESPACE));
    await expect(ask(NAME)).rejects.toMatchObject({ kind: "silent" });
    credentials = toCredentials(await pki.issue("orchestrator.cactus-orchestrator", "client"));
    await expect(ask(NAME)).resolves.not.toThrow();
  } finally {
    resolve.mockRestore();
  }
});

async function startSidecar(runnerPort: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tls-sidecar-"));
  cleanups.defer(() => rm(folder, { recursive: true }));
  const container = { name: "runner", image: "x", ports: [{ containerPort: runnerPort }] };
  const template: Template = {
    statefulSet: {
      spec: { serviceName: "x", selector: {}, template: { spec: { containers: [container] } } },
    },
    service: { spec: { ports: [{ port: 80, targetPort: runnerPort }] } },
  };
  const sidecar = { image: "nginx", servicePort: 80 };
  const identity = { installationId: "i", teststackId: "t", name: NAME, namespace: NAMESPACE };
  const owner = { apiVersion: "v1", kind: "Pod", name: NAME, uid: "u" };
  const files = await pki.issueInstance(NAME, NAMESPACE);
  const { data = {} } = buildTlsSecret({ ...identity, template, sidecar, owner, files });
  for (const [file, base64] of Object.entries(data)) {
    // A Pod has its port and its memory to itself.
    const content = Buffer.from(base64, "base64")
      .toString()
      .replace("listen 8443", `listen 127.0.0.1:${port}`)
      .replace("/dev/shm/nginx.pid", join(folder, "nginx.pid"));
    await writeFile(join(folder, file), content, { mode: 0o600 });
  }
  const { initContainers = [] } = buildPod({ ...identity, template, sidecar, appName: "runner" }).spec ?? {};
  const { command: [program = "", ...args] = [], volumeMounts = [] } = initContainers.at(-1) ?? {};
  const nginx = spawn(
    program,
    args.map((argument) => argument.replace(volumeMounts[0]?.mountPath ?? "", folder)),
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = once(nginx, "close");
  let complaints = "";
  nginx.stderr.on("data", (chunk) => {
    complaints += chunk;
  });
  cleanups.defer(async () => {
    nginx.kill();
    await ended;
  });
  await vi.waitFor(
    async () => {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect").catch(() => Promise.reject(new Error(`nginx does not listen: ${complaints}`)));
      socket.destroy();
    },
    { timeout: 20_000, interval: 50 },
  );
}

function get(path: string, tls: ConnectionOptions | RunnerCredentials): Promise<{ status: number | undefined }> {
  const servername = `${NAME}.${NAMESPACE}.svc`;
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, agent: false, servername, ...tls }, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode });
    })
      .on("error", reject)
      .end();
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: free } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return free;
}
