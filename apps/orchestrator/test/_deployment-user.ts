import { request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, fetch as fetchWithAgent } from "undici";
import { vi } from "vitest";
import {
  type ClientCertificate,
  createOrchestratorClient,
  fetchArtifact,
  followRun,
  type OrchestratorClient,
  type Run,
  type RunEvent,
} from "../../../packages/client/src/index.ts";
import { API_HOST, type Deployment, EDGE_HOST } from "./_deployment.ts";

export interface LiveRun {
  run: Run;
  certificate: ClientCertificate;
  /** From the request to the test that can be used. */
  events: RunEvent[];
}

/** Milliseconds between two of a run's events. */
export function between({ events }: LiveRun, from: string, to: string): number {
  const at = (kind: string): number => Date.parse(events.find((event) => event.kind === kind)?.at ?? "");
  return at(to) - at(from);
}

/** Waits until the API is reached: each of nginx's workers learns of a change by itself, so one answer is not enough. */
export async function untilServed({ client }: Pick<DeploymentUser, "client">): Promise<void> {
  await vi.waitFor(async () => {
    for (let answers = 0; answers < 30; answers += 1) {
      await client.procedures.list.query();
      await sleep(50);
    }
  }, 60_000);
}

/** A user with a token, outside of the cluster: knows the API's address and the edge's, and nothing else. */
export interface DeploymentUser extends AsyncDisposable {
  client: OrchestratorClient;
  /** Creates a run with a certificate of its own. */
  create(procedureId?: string): Promise<{ runId: string; certificate: ClientCertificate }>;
  /** Follows a new run until its test has started. */
  untilLive(created: { runId: string; certificate: ClientCertificate }): Promise<LiveRun>;
  untilEvent(runId: string, kind: string): Promise<void>;
  /** Follows a run to the end of its story. */
  untilGone(runId: string): Promise<Run>;
  download(runId: string): Promise<Buffer>;
  /** What the device under test gets at the URL: the answer's status. */
  visit(live: LiveRun): Promise<number>;
}

export async function openUser({ edge, caPem, sign }: Deployment, subject: string): Promise<DeploymentUser> {
  const agent = new Agent({
    // A kept connection ends with each reload of the edge, whatever becomes of the orchestrator.
    pipelining: 0,
    connect: { ca: caPem, lookup: (_name, _options, done) => done(null, [{ address: edge.host, family: 4 }]) },
  });
  const fetch = ((input: string, init: object) =>
    fetchWithAgent(input, { ...init, dispatcher: agent })) as unknown as typeof globalThis.fetch;
  const options = { url: `https://${API_HOST}:${edge.port}`, token: await sign(subject), fetch };
  const client = createOrchestratorClient(options);
  const untilEvent = async (runId: string, kind: string): Promise<void> => {
    for await (const event of followRun(client, { runId })) if (event.kind === kind) return;
    throw new Error(`run ${runId} ended without the event "${kind}"`);
  };
  return {
    client,
    untilEvent,
    async create(procedureId = "ALL-01") {
      const certificate = await client.certificates.issue.mutate({ kind: "device" });
      const { runId } = await client.runs.create.mutate({ procedureId, certificateId: certificate.certificateId });
      return { runId, certificate };
    },
    async untilLive({ runId, certificate }) {
      const events: RunEvent[] = [];
      for await (const event of followRun(client, { runId })) {
        events.push(event);
        if (event.kind === "failed") throw new Error(`run ${runId} failed: ${event.message}`);
        if (event.kind === "started") return { run: await client.runs.get.query({ runId }), certificate, events };
      }
      throw new Error(`run ${runId} ended: ${events.map(({ kind }) => kind).join(", ")}`);
    },
    async untilGone(runId) {
      await untilEvent(runId, "gone");
      return client.runs.get.query({ runId });
    },
    async download(runId) {
      return Buffer.from(await (await fetchArtifact(options, { runId })).arrayBuffer());
    },
    visit: ({ run, certificate }) =>
      askEdge(edge, {
        ca: caPem,
        cert: certificate.chainPem,
        key: certificate.privateKeyPem ?? "",
        path: new URL(run.testUrl ?? "").pathname,
      }),
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

function askEdge(
  { host, port }: Deployment["edge"],
  { path, ...tls }: { path: string; ca: string; cert: string; key: string },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: EDGE_HOST };
    const outgoing = request({ host, port, path, headers, servername: EDGE_HOST, agent: false, ...tls });
    outgoing.setTimeout(20_000, () => outgoing.destroy(new Error("the edge does not answer")));
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    outgoing.end();
  });
}
