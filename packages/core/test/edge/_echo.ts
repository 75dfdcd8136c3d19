import type { V1OwnerReference, V1Pod } from "@kubernetes/client-node";
import { expect, vi } from "vitest";
import type { Cluster } from "../../src/kubernetes/index.ts";

/** Waits for what takes its time, on any machine. */
export const SOON = { timeout: 45_000, interval: 50 };

/** What reached an instance. */
export interface Seen {
  /** Name of the instance. */
  instance: string;
  method: string;
  target: string;
  rawHeaders: string[];
  body: string;
}

/** Listens for each of its arguments, `<port>`, and tells what it is asked. */
const PROGRAM = `
const { createServer } = require("node:http");
for (const port of process.argv.slice(1)) {
  createServer((request, response) => {
    const { method, url: target, rawHeaders } = request;
    let body = "";
    request.on("data", (chunk) => { body += chunk; });
    request.on("end", () => response.end(JSON.stringify({ port, method, target, rawHeaders, body })));
  }).listen(process.env["PORT_" + port] ?? port, process.env.POD_IP);
}
process.on("SIGTERM", () => process.exit(0));
`;
const FIRST_PORT = 8001;

/** One Pod in place of many instances, each of which has a Service and a port of its own. */
export interface Echo {
  owner: V1OwnerReference;
  /** Makes the next instance's Service. */
  addService(name: string): Promise<void>;
  read(answer: string): Seen;
}

export async function startEcho(
  { core }: Cluster,
  at: { namespace: string; image: string },
  size: number,
): Promise<Echo> {
  const { namespace, image } = at;
  const ports = Array.from({ length: size }, (_, index) => FIRST_PORT + index);
  const container = {
    name: "echo",
    image,
    imagePullPolicy: "Never",
    command: ["node", "-e", PROGRAM, ...ports.map(String)],
    env: [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
    ports: ports.map((containerPort) => ({ containerPort })),
    readinessProbe: { tcpSocket: { port: FIRST_PORT + size - 1 }, periodSeconds: 1 },
  };
  const body: V1Pod = {
    metadata: { name: "echo", labels: { app: "echo" } },
    spec: { containers: [container], terminationGracePeriodSeconds: 1 },
  };
  const made = await core.createNamespacedPod({ namespace, body });
  await vi.waitFor(async () => {
    const { status } = await core.readNamespacedPod({ namespace, name: "echo" });
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
  }, SOON);
  const names: string[] = [];
  return {
    owner: { apiVersion: "v1", kind: "Pod", name: "echo", uid: made.metadata?.uid ?? "", controller: true },
    async addService(name) {
      const targetPort = FIRST_PORT + names.push(name) - 1;
      const spec = { selector: { app: "echo" }, ports: [{ port: 80, targetPort }] };
      await core.createNamespacedService({ namespace, body: { metadata: { name }, spec } });
    },
    read(answer) {
      const { port, ...seen } = JSON.parse(answer);
      return { instance: names[port - FIRST_PORT] ?? "", ...seen };
    },
  };
}
