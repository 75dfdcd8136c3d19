import { setTimeout as sleep } from "node:timers/promises";
import { type Exchange, type KubernetesProxy, startKubernetesProxy } from "./_kubernetes-proxy.ts";
import { slowDown, type Trouble } from "./_trouble.ts";

/** What the API server says instead of doing what it is asked, or after having done it. */
export type Fault =
  | { answer: 401 | 409 | 410 | 429 | 500 | 503; retryAfterSeconds?: number }
  /** Does it, and then answers so. */
  | { answer: 504; afterwards: true }
  /** A watch that begins and then ends with this event. */
  | { event: 410 }
  /** Does it once this is over. */
  | { after: () => Promise<void> }
  /** A watch that begins, stays open and says nothing. */
  | { silent: true };

export interface KubernetesFaults extends KubernetesProxy {
  /** How many calls are still to go wrong. */
  readonly left: number;
  /** Lets the next calls of this name go wrong. */
  fail(name: string | RegExp, fault: Fault, times?: number): void;
  /** Nothing goes wrong any more. */
  relent(): void;
  /** Who may call, from now on; undefined lets everybody. */
  requireToken(token: string | undefined): void;
  /** What happens to calls to runners, from now on. */
  troubleRunners(trouble: Trouble): void;
}

interface Pending {
  name: string | RegExp;
  fault: Fault;
  left: number;
}

/** Stands between an orchestrator and the API server, and lets calls go wrong when told to. */
export async function startKubernetesFaults(kubeconfig: string): Promise<KubernetesFaults> {
  const pending: Pending[] = [];
  const runners = new TroubledRunners();
  let token: string | undefined;

  function takeFault(name: string): Fault | undefined {
    const found = pending.find((other) => other.left > 0 && (other.name === name || matches(other.name, name)));
    if (found === undefined) return undefined;
    found.left -= 1;
    return found.fault;
  }

  const proxy = await startKubernetesProxy(kubeconfig, async (exchange) => {
    const { name, incoming } = exchange;
    if (token !== undefined && incoming.headers.authorization !== `Bearer ${token}`) {
      return refuse(exchange, { answer: 401 });
    }
    const fault = takeFault(name);
    if (fault !== undefined) return goWrong(exchange, fault);
    return name.startsWith("runner ") ? runners.pass(exchange) : exchange.pass(await exchange.forward());
  });
  return {
    ...proxy,
    get left() {
      return pending.reduce((sum, { left }) => sum + left, 0);
    },
    fail: (name, fault, times = 1) => void pending.push({ name, fault, left: times }),
    relent: () => void pending.splice(0),
    requireToken: (next) => {
      token = next;
    },
    troubleRunners: (trouble) => runners.set(trouble),
  };
}

function matches(pattern: string | RegExp, name: string): boolean {
  return pattern instanceof RegExp && pattern.test(name);
}

async function goWrong(exchange: Exchange, fault: Fault): Promise<void> {
  const { outgoing } = exchange;
  if ("answer" in fault) {
    if ("afterwards" in fault) await (await exchange.forward({ anyway: true })).body.arrayBuffer();
    return refuse(exchange, fault);
  }
  if ("after" in fault) {
    await fault.after();
    return exchange.pass(await exchange.forward());
  }
  outgoing.writeHead(200, { "content-type": "application/json" }).flushHeaders();
  if ("event" in fault) outgoing.end(`${JSON.stringify({ type: "ERROR", object: toStatus(fault.event) })}\n`);
}

function refuse({ outgoing }: Exchange, fault: { answer: number; retryAfterSeconds?: number }): void {
  const { answer, retryAfterSeconds } = fault;
  outgoing.writeHead(answer, {
    "content-type": "application/json",
    ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
  });
  outgoing.end(JSON.stringify(toStatus(answer)));
}

function toStatus(code: number): object {
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, message: `${UPSTREAM_TEXT} ${code}` };
}

/** Must never be seen by a user. */
export const UPSTREAM_TEXT = "secret upstream text";

/** Calls to runners, each as if it had a connection of its own through a troubled network. */
class TroubledRunners {
  readonly #calls = new Map<Exchange, { isLost: boolean }>();
  #trouble: Trouble = { kind: "none" };

  set(trouble: Trouble): void {
    this.#trouble = trouble;
    for (const [{ outgoing }, call] of this.#calls) {
      if (trouble.kind === "refused") outgoing.destroy();
      if (trouble.kind === "black hole") call.isLost = true;
    }
  }

  async pass(exchange: Exchange): Promise<void> {
    const call = { isLost: this.#trouble.kind === "black hole" };
    this.#calls.set(exchange, call);
    exchange.outgoing.on("close", () => this.#calls.delete(exchange));
    if (this.#trouble.kind === "refused") throw new Error("refused");
    if (this.#trouble.kind === "latency") await sleep(this.#trouble.milliseconds);
    if (call.isLost) return;
    const answer = await exchange.forward();
    if (call.isLost) return;
    let passed = 0;
    const shape = async function* (this: TroubledRunners, piece: Buffer): AsyncGenerator<Buffer> {
      for await (const slice of slowDown(piece, this.#trouble)) {
        if (call.isLost) await new Promise(() => {});
        passed += slice.length;
        if (this.#trouble.kind === "reset" && passed > this.#trouble.afterBytes) throw new Error("reset");
        yield slice;
      }
    };
    await exchange.pass(answer, (piece) => shape.call(this, piece));
  }
}
