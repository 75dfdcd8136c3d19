import { request } from "undici";
import type { Cluster } from "./cluster.ts";

export interface PodLogQuery {
  namespace: string;
  pod: string;
  container: string;
  /** Of the container before its last restart. */
  previous: boolean;
  /** Most that is kept: of a longer log, its end. */
  bytes: number;
}

/** Limit of one read, however long the log is. */
const TIME_LIMIT_MS = 15_000;

/**
 * Reads the end of a container's log. It passes through without being held: the API server can cut a log by lines, which
 * may be of any length, and by bytes from its beginning alone. After the time limit, what was read until then counts.
 *
 * @throws {Error} when there is no such log
 */
export async function readPodLogEnd(cluster: Cluster, query: PodLogQuery): Promise<Buffer> {
  const { namespace, pod, container, previous, bytes } = query;
  const { dispatcher, headers } = await cluster.authorise();
  const signal = AbortSignal.timeout(TIME_LIMIT_MS);
  const answer = await request(`${cluster.server}/api/v1/namespaces/${namespace}/pods/${pod}/log`, {
    query: { container, previous },
    headers,
    signal,
    ...(dispatcher && { dispatcher }),
  });
  if (answer.statusCode !== 200) {
    await answer.body.dump();
    throw new Error(`the log of ${pod}/${container} cannot be read: the cluster answered ${answer.statusCode}`);
  }
  return readEnd(answer.body, bytes, signal);
}

async function readEnd(body: AsyncIterable<Buffer>, bytes: number, signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of body) {
      pieces.push(piece);
      length += piece.length;
      while (length - (pieces[0]?.length ?? 0) >= bytes) length -= pieces.shift()?.length ?? 0;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return Buffer.concat(pieces).subarray(-bytes);
}
