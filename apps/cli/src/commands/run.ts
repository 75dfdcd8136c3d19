import {
  type ClientCertificate,
  createOrchestratorClient,
  followRun,
  type OrchestratorClient,
  type Run,
  type RunEvent,
} from "@cactus/client";
import type { Connection } from "../connection.ts";
import { type DeviceIdentity, getOnce, walk } from "../device.ts";
import { download } from "../download.ts";
import type { Progress } from "../progress.ts";

export interface RunDeps {
  connection: Connection;
  progress: Progress;
}

export interface RunOptions {
  kind: "device" | "aggregator";
  /** File of the zip; left out, the artifact's own name. */
  out: string | undefined;
}

/** `unmet`: finalised, but not all criteria are met, or it is not known. */
export type RunOutcome = "passed" | "unmet" | "failed";

/**
 * Does a whole test run as a device under test would: certificate, teststack, DeviceCapability over mutual TLS, start, a
 * walk through all links, finalise, and the zip. A run that fails leaves its evidence in the zip.
 *
 * @throws {Error} when a call is refused or the server under test cannot be reached
 */
export async function run(deps: RunDeps, procedureId: string, options: RunOptions): Promise<RunOutcome> {
  const client = createOrchestratorClient(deps.connection);
  deps.progress.doing("issuing a certificate");
  const certificate = await client.certificates.issue.mutate({ kind: options.kind });
  deps.progress.done(`certificate   ${options.kind}, LFDI ${certificate.lfdi}`);
  const { runId } = await client.runs.create.mutate({ procedureId, certificateId: certificate.certificateId });
  deps.progress.done(`run           ${runId}`);
  await using story = new Story(client, runId, deps.progress);
  try {
    if ((await story.until("initialised")) !== undefined) {
      await actAsDevice(deps, client, { run: await client.runs.get.query({ runId }), certificate });
      await client.runs.finalise.mutate({ runId });
    }
    await story.until("finalised");
    const ended = await client.runs.get.query({ runId });
    // A failed run's evidence is stored on the way to its end.
    if (ended.status === "failed") await story.until("end");
    await save(deps, await client.runs.get.query({ runId }), options.out);
    await story.until("end");
    return judge(ended);
  } catch (error) {
    deps.progress.note(`the run may go on; to end it: cactus finalise ${runId}`);
    throw error;
  }
}

/** Tells a run's events as they come. */
class Story implements AsyncDisposable {
  readonly #events: AsyncIterator<RunEvent>;
  readonly #progress: Progress;

  constructor(client: OrchestratorClient, runId: string, progress: Progress) {
    this.#events = followRun(client, { runId })[Symbol.asyncIterator]();
    this.#progress = progress;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#events.return?.();
  }

  /** Goes on until an event of this kind; undefined when the run failed or ended before. */
  async until(kind: string): Promise<RunEvent | undefined> {
    for (;;) {
      this.#progress.doing(`until ${kind}`);
      const { value: event, done } = await this.#events.next();
      if (done) return undefined;
      const tell =
        event.kind === "failed"
          ? this.#progress.failed
          : TOLD_AS_NOTE.has(event.kind)
            ? this.#progress.note
            : this.#progress.done;
      tell(`${event.kind.padEnd(13)} ${event.message}`);
      if (event.kind === kind) return event;
      if (event.kind === "failed") return undefined;
    }
  }
}

const TOLD_AS_NOTE = new Set([
  "waiting",
  "requested",
  "collecting",
  "deleting",
  "finalise_requested",
  "start_requested",
]);

async function actAsDevice(
  { progress }: RunDeps,
  client: OrchestratorClient,
  { run, certificate }: { run: Run; certificate: ClientCertificate },
): Promise<void> {
  if (run.testUrl === null || certificate.privateKeyPem === null) throw new Error("the run has no address");
  const { certificatePem: caPem } = await client.certificates.authority.query();
  const identity: DeviceIdentity = { chainPem: certificate.chainPem, privateKeyPem: certificate.privateKeyPem, caPem };
  progress.doing(`GET ${run.testUrl}`);
  const first = await getOnce(identity, run.testUrl);
  progress.done(`device        GET ${first.path} → ${first.status} over mutual TLS`);
  if (run.status === "initialised") await client.runs.start.mutate({ runId: run.runId });
  let pages = 0;
  for await (const exchange of walk(identity, run.testUrl)) {
    pages += 1;
    if (exchange.status >= 400) progress.note(`device        GET ${exchange.path} → ${exchange.status}`);
  }
  const status = await client.runs.status.query({ runId: run.runId });
  progress.done(`device        walked ${pages} pages; ${status.summary}`);
}

async function save({ connection, progress }: RunDeps, run: Run, out: string | undefined): Promise<void> {
  if (run.artifact === null) {
    progress.note("artifact      none");
    return;
  }
  const file = out ?? run.artifact.fileName;
  progress.doing(`downloading ${file}`);
  await download(connection, { runId: run.runId, file, sha256: run.artifact.sha256 });
  progress.done(`artifact      ${file} (${run.artifact.kind}, ${run.artifact.size} bytes, SHA-256 checked)`);
}

function judge(run: Run): RunOutcome {
  if (run.status === "failed") return "failed";
  return run.allCriteriaMet === true ? "passed" : "unmet";
}
