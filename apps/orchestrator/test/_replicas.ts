import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestDatabase } from "@cactus/db/testing";
import { Agent, fetch } from "undici";
import {
  createOrchestratorClient,
  followRun,
  type OrchestratorClient,
  type OrchestratorClientOptions,
  type RunEvent,
  reasonOf,
} from "../../../packages/client/src/index.ts";
import { startTestCluster, type TestCluster } from "./_cluster.ts";
import { prepareSurroundings } from "./_orchestrator.ts";
import { prepareReplica, type Replica } from "./_orchestrator-process.ts";

/** Several orchestrators, each a process of its own, on one database and one local cluster. */
export interface Replicas extends AsyncDisposable {
  replicas: Replica[];
  cluster: TestCluster;
  database: TestDatabase;
  /** A client whose every connection leads to a replica that `pick` gives, as a Service does it. */
  connect(pick: () => Replica): Promise<{ client: OrchestratorClient; options: OrchestratorClientOptions }>;
}

/** Prepares replicas that are not started yet. */
export async function prepareReplicas(count: number, variables: Record<string, string> = {}): Promise<Replicas> {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startTestCluster());
  const surroundings = stack.use(await prepareSurroundings({ ...cluster.variables, ...variables }));
  const replicas = Array.from({ length: count }, () => stack.use(prepareReplica(surroundings.environment)));
  // Each call has a connection of its own: a kept one may be ended by the other side just as it is used again.
  const agent = new Agent({ pipelining: 0 });
  stack.defer(() => agent.destroy());
  const owned = stack.move();
  return {
    replicas,
    cluster,
    database: surroundings.database,
    async connect(pick) {
      const options: OrchestratorClientOptions = {
        url: "http://service",
        token: await surroundings.sign({ sub: "tester" }),
        fetch: ((input: string, init: object) => {
          const { pathname, search } = new URL(input);
          return fetch(new URL(pathname + search, pick().url), { ...init, dispatcher: agent });
        }) as unknown as typeof globalThis.fetch,
      };
      return { options, client: createOrchestratorClient(options) };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Nobody has answered, or nobody could. */
function isUnanswered(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason === undefined || reason === "unavailable";
}

/** As a client does: again, when that may help. */
export async function untilAnswered<TResult>(
  call: () => Promise<TResult>,
  mayPass: (error: unknown) => boolean = isUnanswered,
): Promise<TResult> {
  for (const end = Date.now() + 60_000; ; ) {
    try {
      return await call();
    } catch (error) {
      if (!mayPass(error) || Date.now() > end) throw error;
      await sleep(50);
    }
  }
}

/** What a follower has been told so far. */
export class Follower {
  readonly events: RunEvent[] = [];
  readonly ended: Promise<void>;
  #failure: unknown;
  #news = Promise.withResolvers<void>();
  #hasEnded = false;

  constructor(client: OrchestratorClient, runId: string) {
    this.ended = this.#follow(client, runId);
    this.ended.catch(() => {});
  }

  get kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  /** Waits for an event of one of these kinds. */
  async until(...kinds: string[]): Promise<RunEvent> {
    for (;;) {
      const event = this.events.find(({ kind }) => kinds.includes(kind));
      if (event !== undefined) return event;
      if (this.#hasEnded) throw this.#failure ?? new Error(`the story ended with ${this.kinds.at(-1)}`);
      await this.#news.promise;
    }
  }

  async #follow(client: OrchestratorClient, runId: string): Promise<void> {
    try {
      for await (const event of followRun(client, { runId })) {
        this.events.push(event);
        this.#tell();
      }
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      this.#hasEnded = true;
      this.#tell();
    }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** A call that changes a runner's test, as the API server has received it. */
export interface RunnerCall {
  teststack: string;
  path: string;
  at: number;
  /** The same call before, if there was one. */
  before?: RunnerCall;
  /** Whether who made the one before had let go of the connection by then, as one does who dies. */
  hasLeft?: boolean;
}

/** Notes what runners are asked through the API server of this process's local cluster. */
export function watchRunnerCalls(): Disposable & { calls: RunnerCall[] } {
  const calls: RunnerCall[] = [];
  const latest = new Map<string, { call: RunnerCall; socket: Socket }>();
  const note = (message: unknown): void => {
    const { method, url = "", socket } = (message as { request: IncomingMessage }).request;
    const [, teststack, path] = /\/services\/http:([^:/]+):\d+\/proxy(\/\w+)$/.exec(url) ?? [];
    if (method !== "POST" || teststack === undefined || path === undefined) return;
    const before = latest.get(`${teststack} ${path}`);
    const again = before && { before: before.call, hasLeft: before.socket.destroyed };
    const call = { teststack, path, at: Date.now(), ...again };
    calls.push(call);
    latest.set(`${teststack} ${path}`, { call, socket });
  };
  subscribe("http.server.request.start", note);
  return { calls, [Symbol.dispose]: () => void unsubscribe("http.server.request.start", note) };
}
