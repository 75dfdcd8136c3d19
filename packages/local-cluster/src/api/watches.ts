import type { ServerResponse } from "node:http";
import type { KubernetesObject } from "../cluster-api.ts";
import { textOf } from "../json.ts";
import { type Scope, watchStore } from "../registry/watch.ts";
import { apiVersionOf, type Resource } from "../resources/resource.ts";
import { StatusError } from "../status-error.ts";
import type { Store } from "../store/store.ts";
import type { ListParameters } from "./options.ts";

const SHORTEST_DEFAULT_SECONDS = 1800;
const BOOKMARK_EVERY_MS = 60_000;
/** A client that reads this much too slowly is cut off: it will come back and list anew. */
const LONGEST_BACKLOG_BYTES = 32 * 1024 * 1024;

export interface WatchRequest {
  response: ServerResponse;
  store: Store;
  resource: Resource;
  scope: Scope;
  parameters: ListParameters;
  /** Writes an object as the client wants to see it. */
  format?: ((object: KubernetesObject) => string) | undefined;
}

/** Streams the events of a watch, a line of JSON each, until its time is over or the client goes away. */
export function streamWatch(request: WatchRequest): void {
  const { response, store, resource, parameters, format = textOf } = request;
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
  response.flushHeaders();
  const send = (type: string, text: string): void => {
    response.write(`{"type":"${type}","object":${text}}\n`);
    if (response.writableLength > LONGEST_BACKLOG_BYTES) response.destroy();
  };
  const bookmark = (annotations?: object): void => {
    const metadata = { resourceVersion: String(store.version), creationTimestamp: null, ...annotations };
    send("BOOKMARK", JSON.stringify({ kind: resource.kind, apiVersion: apiVersionOf(resource), metadata }));
  };
  let watch: Disposable;
  try {
    const scope = { ...request.scope, since: sinceOf(store, parameters) };
    watch = watchStore(store, resource, scope, ({ type, object }) => send(type, format(object)));
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    send("ERROR", JSON.stringify(error.toStatus()));
    response.end();
    return;
  }
  const { allowWatchBookmarks, sendInitialEvents } = parameters;
  if (allowWatchBookmarks && sendInitialEvents) bookmark({ annotations: { "k8s.io/initial-events-end": "true" } });
  const bookmarks = allowWatchBookmarks ? setInterval(() => bookmark(), BOOKMARK_EVERY_MS) : undefined;
  const seconds = parameters.timeoutSeconds ?? SHORTEST_DEFAULT_SECONDS * (1 + Math.random());
  const timeout = setTimeout(() => {
    if (allowWatchBookmarks) bookmark();
    response.end();
  }, seconds * 1000);
  response.once("close", () => {
    watch[Symbol.dispose]();
    clearInterval(bookmarks);
    clearTimeout(timeout);
  });
}

/** The version that the client knows all of; undefined where it wants to hear of all objects first. */
function sinceOf(store: Store, { resourceVersion, sendInitialEvents }: ListParameters): number | undefined {
  if (sendInitialEvents) return undefined;
  if (resourceVersion !== "" && resourceVersion !== "0") return Number(resourceVersion);
  return sendInitialEvents === false ? store.version : undefined;
}
