import { Readable } from "node:stream";
import { readPodLogEnd } from "@cactus/core/kubernetes";
import { type RunnerClient, type RunnerStatus, runnerStatusSchema } from "@cactus/core/runner";
import { listEvents, type Run, type RunEvent, type Teststack } from "@cactus/db";
import type { V1Pod } from "@kubernetes/client-node";
import { ZipFile } from "yazl";
import type { ReconcilerDeps, StepContext } from "./step-context.ts";

/** Bounds of what is gathered, so that a broken teststack can neither hold up its own removal nor fill the memory. */
const LOG_BYTES = 1024 * 1024;
const MOST_REQUESTS = 1_000;
const MOST_REQUEST_CHARACTERS = 32 * 1024 * 1024;
const REQUESTS_TIME_MS = 20_000;

/** A file of the archive; undefined where it cannot be had. */
type Gathered = [path: string, content: string | Buffer] | undefined;

export interface EvidenceInput {
  run: Run;
  /** Why the archive is not whole, for whoever opens it. */
  why: string;
  runnerAnswers: boolean;
}

/**
 * Makes a zip of what can still be told of a run whose own archive cannot be had: the run's events, the last status, the
 * requests that the runner still serves, each container's log, the Pod and its events. What cannot be had is left out.
 */
export async function collectEvidence(context: StepContext, input: EvidenceInput): Promise<Readable> {
  const { deps, teststack, runner } = context;
  const pods = deps.watch.pods(teststack.id);
  const gathered = await Promise.all([
    describeRun(context, input),
    describePods(deps, pods),
    readLogs(deps, pods),
    input.runnerAnswers ? readRequests(runner, input.run) : [],
  ]);
  const zip = new ZipFile();
  for (const file of gathered.flat()) {
    if (file !== undefined) zip.addBuffer(Buffer.from(file[1]), file[0], { mtime: deps.now() });
  }
  zip.end();
  return Readable.from(zip.outputStream);
}

async function describeRun({ deps, teststack }: StepContext, { run, why }: EvidenceInput): Promise<Gathered[]> {
  const events = await listEvents(deps.db, { runId: run.id, after: 0, limit: 10_000 });
  const readme = [
    "This archive is partial: the runner's own could not be fetched.",
    why,
    "",
    `Run ${run.id}, test procedure ${run.procedure_id}.`,
    "It holds what could still be told: events.json (the run's story), status.json (the runner's last status),",
    "requests/ (recorded exchanges), logs/ (the end of each container's log), cluster/ (the Pod and its events),",
    "teststack.json (what the instance was made of, and the seconds that it took from stage to stage).",
    "",
  ].join("\n");
  return [
    ["README.txt", readme],
    ["events.json", toJson(events)],
    ["teststack.json", toJson(describeTeststack(teststack, events))],
    run.last_status === null ? undefined : ["status.json", toJson(run.last_status)],
    ["procedure.yaml", run.procedure_yaml],
  ];
}

function describeTeststack(
  { name, workload, template, template_hash, pod_uid }: Teststack,
  events: RunEvent[],
): object {
  const stages = events.map(({ kind, at }, index) => {
    const secondsBefore = (at.getTime() - (events[index - 1] ?? events[0] ?? { at }).at.getTime()) / 1000;
    return { kind, secondsBefore };
  });
  return { name, workload, template, templateHash: template_hash, podUid: pod_uid, stages };
}

async function describePods(deps: ReconcilerDeps, pods: V1Pod[]): Promise<Gathered[]> {
  const namespace = deps.config.TEST_EXECUTION_NAMESPACE;
  const files = pods.map(async (pod): Promise<Gathered[]> => {
    const name = pod.metadata?.name ?? "";
    const fieldSelector = `involvedObject.uid=${pod.metadata?.uid}`;
    const events = await ifPossible(deps, () => deps.cluster.core.listNamespacedEvent({ namespace, fieldSelector }));
    return [
      [`cluster/${name}.json`, toJson({ metadata: pod.metadata, status: pod.status })],
      events && [`cluster/${name}.events.json`, toJson(events.items)],
    ];
  });
  return (await Promise.all(files)).flat();
}

async function readLogs(deps: ReconcilerDeps, pods: V1Pod[]): Promise<Gathered[]> {
  const namespace = deps.config.TEST_EXECUTION_NAMESPACE;
  const reads = pods.flatMap((pod) => {
    const name = pod.metadata?.name ?? "";
    const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    return statuses.flatMap(({ name: container, restartCount }) =>
      (restartCount > 0 ? [false, true] : [false]).map(async (previous): Promise<Gathered> => {
        const query = { namespace, pod: name, container, previous, bytes: LOG_BYTES };
        const log = await ifPossible(deps, () => readPodLogEnd(deps.cluster, query));
        return log && [`logs/${name}.${container}${previous ? ".previous" : ""}.log`, log];
      }),
    );
  });
  return Promise.all(reads);
}

/** Files of earlier tests are still listed by the runner: the ids come from this test's own history. */
async function readRequests(runner: RunnerClient, run: Run): Promise<Gathered[]> {
  if (run.last_status === null) return [];
  const { requestHistory }: RunnerStatus = runnerStatusSchema.parse(run.last_status);
  const files: Gathered[] = [];
  const until = performance.now() + REQUESTS_TIME_MS;
  let length = 0;
  for (const { requestId, stepName } of requestHistory.slice(-MOST_REQUESTS)) {
    if (performance.now() > until || length > MOST_REQUEST_CHARACTERS) break;
    const pair = await runner.requestPair(requestId).catch(() => undefined);
    if (pair === undefined) continue;
    length += pair.request.length + pair.response.length;
    const name = `requests/${String(requestId).padStart(3, "0")}-${stepName.replace(/[^A-Za-z0-9-]/g, "_")}`;
    files.push([`${name}.request`, pair.request], [`${name}.response`, pair.response]);
  }
  return files;
}

async function ifPossible<TResult>(deps: ReconcilerDeps, read: () => Promise<TResult>): Promise<TResult | undefined> {
  try {
    return await read();
  } catch (error) {
    deps.logger.debug({ err: error }, "a piece of evidence could not be had");
    return undefined;
  }
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
