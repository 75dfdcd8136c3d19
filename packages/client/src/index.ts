import type { OrchestratorApi } from "@cactus/orchestrator/contract";
import {
  createTRPCClient,
  httpLink,
  httpSubscriptionLink,
  splitLink,
  type TRPCClient,
  TRPCClientError,
} from "@trpc/client";
import type { inferRouterInputs, inferRouterOutputs } from "@trpc/server";
import { EventSource } from "eventsource";

export type { OrchestratorApi };

export interface OrchestratorClientOptions {
  /** Where the orchestrator is, as `https://cactus.example.org`. */
  url: string;
  /** Bearer token, or a function that gives a fresh one for each call. */
  token: string | (() => string | Promise<string>);
  /** Instead of the global `fetch`. */
  fetch?: typeof globalThis.fetch;
}

export type OrchestratorClient = TRPCClient<OrchestratorApi>;

/** What procedures take, as `Inputs["runs"]["create"]`. */
export type Inputs = inferRouterInputs<OrchestratorApi>;
/** What procedures answer, as `Outputs["runs"]["get"]`. */
export type Outputs = inferRouterOutputs<OrchestratorApi>;

export type Run = Outputs["runs"]["get"];
export type ClientCertificate = Outputs["certificates"]["issue"];

/** One line of a run's story, as {@link followRun} yields it. */
export interface RunEvent {
  /** Counts 1, 2, 3, … within the run. */
  id: string;
  /** ISO 8601 UTC. */
  at: string;
  kind: string;
  message: string;
  detail: Record<string, unknown>;
}

/**
 * Makes a client whose calls are typed end to end. It works in Node 20 and newer and in browsers.
 *
 * @example
 * const client = createOrchestratorClient({ url: "https://cactus.example.org", token });
 * const certificate = await client.certificates.issue.mutate({ kind: "device" });
 * const run = await client.runs.create.mutate({ procedureId: "ALL-01", certificateId: certificate.certificateId });
 */
export function createOrchestratorClient(options: OrchestratorClientOptions): OrchestratorClient {
  const url = new URL("/trpc", options.url).href;
  const fetch = options.fetch ?? globalThis.fetch;
  return createTRPCClient<OrchestratorApi>({
    links: [
      splitLink({
        condition: (operation) => operation.type === "subscription",
        true: httpSubscriptionLink<OrchestratorApi, typeof EventSource>({
          url,
          // The platform's own cannot send a token in a header, and Node has none.
          EventSource,
          eventSourceOptions: {
            fetch: async (input, init) => {
              const headers = { ...init.headers, ...(await authorise(options)) };
              const response = await fetch(input, { ...init, headers });
              if (response.status < 500) return response;
              // Taken for a connection that broke, and tried again: at a status the stream would be given up for good.
              await response.body?.cancel();
              throw new Error(`The orchestrator answered ${response.status}.`);
            },
          },
        }),
        false: httpLink({ url, fetch, headers: () => authorise(options) }),
      }),
    ],
  });
}

/** Follows a run's events, those there were after `lastEventId` and those to come, until the run has ended. */
export function followRun(
  client: OrchestratorClient,
  input: { runId: string; lastEventId?: string; signal?: AbortSignal },
): AsyncIterable<RunEvent> {
  const { signal, ...query } = input;
  return {
    [Symbol.asyncIterator]() {
      const queue: RunEvent[] = [];
      let ended: { error?: unknown } | undefined;
      let wake: () => void = () => {};
      const end = (error?: unknown): void => {
        ended ??= error === undefined ? {} : { error };
        wake();
      };
      const subscription = client.runs.follow.subscribe(query, {
        onData: ({ data }) => {
          queue.push(data);
          wake();
        },
        onError: end,
        onComplete: () => end(),
      });
      const stop = (): void => {
        subscription.unsubscribe();
        end();
      };
      signal?.addEventListener("abort", stop, { once: true });
      return {
        async next() {
          while (queue.length === 0 && ended === undefined) await new Promise<void>((resolve) => (wake = resolve));
          const event = queue.shift();
          if (event !== undefined) return { done: false, value: event };
          if (ended !== undefined && "error" in ended) throw ended.error;
          return { done: true, value: undefined };
        },
        async return() {
          stop();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/**
 * Fetches a run's zip; the body is still on its way. `range` asks for a part, as `bytes=1000-`.
 *
 * @throws {Error} with the server's words when there is none or it may not be had
 */
export async function fetchArtifact(
  options: OrchestratorClientOptions,
  input: { runId: string; range?: string; signal?: AbortSignal },
): Promise<Response> {
  const response = await (options.fetch ?? globalThis.fetch)(
    new URL(`/runs/${encodeURIComponent(input.runId)}/artifact`, options.url),
    {
      headers: { ...(await authorise(options)), ...(input.range && { range: input.range }) },
      ...(input.signal && { signal: input.signal }),
    },
  );
  if (response.ok) return response;
  const { message } = (await response.json().catch(() => ({}))) as { message?: string };
  throw new Error(message ?? `The orchestrator answered ${response.status}.`);
}

/**
 * Why a call was refused: `invalid_input`, `unauthenticated`, `forbidden`, `not_found`, `conflict`,
 * `precondition_failed`, `unavailable` or `internal`. Undefined when the orchestrator was not reached.
 */
export function reasonOf(error: unknown): string | undefined {
  return error instanceof TRPCClientError ? (error as TRPCClientError<OrchestratorApi>).data?.reason : undefined;
}

async function authorise({ token }: OrchestratorClientOptions): Promise<Record<string, string>> {
  return { authorization: `Bearer ${typeof token === "function" ? await token() : token}` };
}
