import { createTRPCClient, httpSubscriptionLink } from "@trpc/client";
import { EventSource } from "eventsource";
import type { OrchestratorApi } from "../src/contract.ts";
import type { RunEventView } from "../src/routes/run-event-view.ts";

export interface Following {
  events: RunEventView[];
  ended: Promise<void>;
  /** What was told of each interruption. */
  interruptions: string[];
  stop(): void;
}

/** Follows a run as a client does. */
export function followRun(input: { url: string; token: string; runId: string; lastEventId?: string }): Following {
  const headers = { authorization: `Bearer ${input.token}` };
  const client = createTRPCClient<OrchestratorApi>({
    links: [
      httpSubscriptionLink<OrchestratorApi, typeof EventSource>({
        url: `${input.url}/trpc`,
        EventSource,
        eventSourceOptions: {
          fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } }),
        },
      }),
    ],
  });
  const events: RunEventView[] = [];
  const interruptions: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { runId, lastEventId } = input;
  const subscription = client.runs.follow.subscribe(
    { runId, ...(lastEventId !== undefined && { lastEventId }) },
    {
      onData: ({ data }) => events.push(data),
      onComplete: resolve,
      onError: reject,
      onConnectionStateChange: ({ error }) => {
        if (error) interruptions.push(error.message);
      },
    },
  );
  return { events, interruptions, ended: promise, stop: () => subscription.unsubscribe() };
}

export const idsOf = (events: RunEventView[]): number[] => events.map((event) => Number(event.id));
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
