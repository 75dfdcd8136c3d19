import type { ChildProcess } from "node:child_process";
import type { ClusterApi, ListOptions, WatchEvent } from "../src/cluster-api.ts";
import { StatusError } from "../src/status-error.ts";

type Method = Exclude<keyof ClusterApi, "watch">;
type Call = { id: number } & (
  | { call: Method; args: unknown[] }
  | { watch: string; options: ListOptions }
  | { unwatch: true }
);
type Reply = {
  id: number;
  result?: unknown;
  error?: { code: number; reason: string; message: string };
  event?: WatchEvent<never>;
};

/** Lets a child process use a cluster of this one. */
export function serveCluster(child: ChildProcess, cluster: ClusterApi): void {
  const watches = new Map<number, Disposable>();
  const reply = (message: Reply): void => {
    // One that is being killed hears nothing any more.
    if (child.connected) child.send(message, () => undefined);
  };
  child.on("message", (message: Call) => {
    if ("watch" in message) {
      const watch = cluster.watch<never>(message.watch, message.options, (event) => reply({ id: message.id, event }));
      watches.set(message.id, watch);
    } else if ("unwatch" in message) {
      watches.get(message.id)?.[Symbol.dispose]();
    } else if ("call" in message) {
      const { id, call, args } = message;
      const method = cluster[call] as (...all: unknown[]) => Promise<unknown>;
      method(...args).then(
        (result) => reply({ id, result }),
        ({ code, reason, message: text }) => reply({ id, error: { code, reason, message: text } }),
      );
    }
  });
  child.once("exit", () => {
    for (const watch of watches.values()) watch[Symbol.dispose]();
  });
}

/** The cluster of the process that forked this one. */
export function connectCluster(): ClusterApi {
  let last = 0;
  const waiting = new Map<number, (reply: Reply) => void>();
  process.on("message", (reply: Reply) => waiting.get(reply.id)?.(reply));
  const send = (call: object, onReply: (reply: Reply) => void): number => {
    last += 1;
    waiting.set(last, onReply);
    process.send?.({ id: last, ...call });
    return last;
  };
  const remote =
    (call: Method) =>
    (...args: unknown[]) =>
      new Promise<never>((resolve, reject) => {
        const id = send({ call, args }, ({ result, error }) => {
          waiting.delete(id);
          if (error === undefined) resolve(result as never);
          else reject(new StatusError(error.code, error.reason, error.message));
        });
      });
  return {
    ...{ get: remote("get"), list: remote("list"), create: remote("create") },
    ...{ update: remote("update"), patch: remote("patch"), delete: remote("delete") },
    watch: (watch, options, onEvent) => {
      const id = send({ watch, options }, ({ event }) => event !== undefined && onEvent(event));
      return {
        [Symbol.dispose]() {
          waiting.delete(id);
          process.send?.({ id, unwatch: true });
        },
      };
    },
  };
}
