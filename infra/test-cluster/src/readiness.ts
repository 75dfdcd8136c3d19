import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { API_URL } from "./credentials.ts";

const PATIENCE_MS = 120_000;

/** Waits for a condition. @throws {Error} that names it after two minutes, with the last failure as cause */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  let cause: unknown;
  while (Date.now() < deadline) {
    try {
      if (await isSo()) return;
    } catch (error) {
      cause = error;
    }
    await sleep(50);
  }
  throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`, { cause });
}

/** Waits until Pods can start, find each other by name, and be reached through a Service. */
export async function untilReady(token: string, ca: string): Promise<void> {
  const get = async (url: string): Promise<string> => {
    const call = request(url, { ca, headers: { authorization: `Bearer ${token}` }, timeout: 5000, agent: false });
    call.end();
    const [answer] = await once(call, "response");
    return text(answer);
  };
  await until("the node is ready", async () => {
    const { status } = JSON.parse(await get(`${API_URL}/api/v1/nodes/node1`));
    return status.conditions.some(
      (is: { type: string; status: string }) => is.type === "Ready" && is.status === "True",
    );
  });
  await until("there is a service account", async () => {
    return (
      JSON.parse(await get(`${API_URL}/api/v1/namespaces/default/serviceaccounts/default`)).kind === "ServiceAccount"
    );
  });
  await until("Services are routed", async () => (await get("https://10.96.0.1/readyz")) === "ok");
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers(["10.245.0.1"]);
  await until(
    "names are told",
    async () => (await resolver.resolve4("kubernetes.default.svc.cluster.local")).length > 0,
  );
}
