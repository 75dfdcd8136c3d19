import { randomUUID } from "node:crypto";
import { Agent, request } from "node:https";
import { createSecureContext, rootCertificates } from "node:tls";
import { type Authority, issueClientCertificate } from "@cactus/core/pki";
import pLimit from "p-limit";
import type { AuthorityStore } from "./authority-store.ts";
import type { Config } from "./config.ts";

/** What a request through the public edge came to. */
type ProbeResult = { reached: true } | { reached: false; why: string; cause?: unknown };

/** Tries whether an instance answers through the public edge. Never throws: what is in the way is the result. */
export type EdgeProbe = (teststackName: string) => Promise<ProbeResult>;

const TIMEOUT_MS = 3_000;
/** Connections that must all lead there: an edge has several workers, and each learns of a route in its own time. */
const CONNECTIONS = 8;
/** Instances that are probed at once: with more, an edge that has much to do would be too busy to answer any in time. */
const PARALLEL = 16;

/** How the runner refuses a client that is not its test's: it was reached then. Others do not speak so. */
const RUNNER_ANSWERS = /active test procedure|Forwarded certificate does not match|marked as finished/;

interface ProbeIdentity {
  authority: Authority;
  roots: string;
  /** Its context is made once: to read all roots that the platform trusts takes longer than a handshake. No connection is kept. */
  agent: Agent;
}

/**
 * Probes with a client certificate of its own, of our CA: the edge lets it in, and the runner then answers that it does not
 * know this client. An instance's runner passes on only what the edge leads below the instance's own prefix: no other
 * instance would answer so.
 */
export function createEdgeProbe(deps: {
  authority: AuthorityStore;
  config: Pick<Config, "TEST_EXECUTION_FQDN" | "TEST_EXECUTION_PORT" | "EDGE_ADDRESS">;
  now: () => Date;
}): EdgeProbe {
  const { config } = deps;
  const limit = pLimit(PARALLEL);
  const identifying = pLimit(1);
  let identity: ProbeIdentity | undefined;

  async function getIdentity(): Promise<ProbeIdentity> {
    const [authority, roots] = await Promise.all([deps.authority.get(), deps.authority.getRoots()]);
    if (identity?.authority === authority && identity.roots === roots) return identity;
    const issued = await issueClientCertificate(authority, {
      kind: "device",
      pen: 0,
      hardwareSerial: `cactus-probe-${randomUUID()}`,
      now: deps.now(),
    });
    const key = issued.privateKeyPem ?? "";
    const secureContext = createSecureContext({ cert: issued.chainPem, key, ca: [roots, ...rootCertificates] });
    identity = { authority, roots, agent: new Agent({ secureContext, keepAlive: false, maxCachedSessions: 0 }) };
    return identity;
  }

  async function probe(teststackName: string): Promise<ProbeResult> {
    try {
      const { agent } = await identifying(getIdentity);
      const ask = () => get(`/${teststackName}/dcap`, { config, agent });
      // One first: while that leads nowhere, the others would as well.
      const first = await ask();
      const others = RUNNER_ANSWERS.test(first.body) ? Array.from({ length: CONNECTIONS - 1 }, ask) : [];
      const lost = [first, ...(await Promise.all(others))].find(({ body }) => !RUNNER_ANSWERS.test(body));
      return lost === undefined ? { reached: true } : { reached: false, why: `the edge answers ${lost.status}` };
    } catch (cause) {
      return { reached: false, why: "the edge does not answer", cause };
    }
  }

  return (teststackName) => limit(probe, teststackName);
}

interface ProbeOptions {
  agent: Agent;
  config: Pick<Config, "TEST_EXECUTION_FQDN" | "TEST_EXECUTION_PORT" | "EDGE_ADDRESS">;
}

function get(path: string, { config, agent }: ProbeOptions): Promise<{ status: number; body: string }> {
  const publicName = config.TEST_EXECUTION_FQDN;
  const [host = "", port = ""] = (config.EDGE_ADDRESS ?? `${publicName}:${config.TEST_EXECUTION_PORT}`).split(":");
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host,
      port,
      path,
      servername: publicName,
      headers: { host: publicName },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      agent,
    });
    outgoing.on("error", reject);
    outgoing.on("response", async (response) => {
      const text = await response.setEncoding("utf8").toArray().catch(reject);
      resolve({ status: response.statusCode ?? 0, body: (text ?? []).join("").slice(0, 4_096) });
    });
    outgoing.end();
  });
}
