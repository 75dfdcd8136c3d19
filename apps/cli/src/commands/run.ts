import {
  type ClientCertificate,
  createOrchestratorClient,
  type OrchestratorClient,
  type Run,
  reasonOf,
} from "@cactus/client";
import type { Connection } from "../connection.ts";
import { openDevice } from "../device.ts";
import { saveArtifact } from "../download.ts";
import type { Progress } from "../progress.ts";
import { Story } from "../story.ts";

export interface RunDeps {
  connection: Connection;
  progress: Progress;
  /** The user wants no more of it. */
  signal: AbortSignal;
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
  await using story = new Story(client, runId, deps);
  try {
    if (await story.until("initialised")) {
      await actAsDevice(deps, client, { run: await client.runs.get.query({ runId }), certificate });
      await client.runs.finalise.mutate({ runId });
    }
    await story.until("finalised");
    const ended = await client.runs.get.query({ runId });
    // A failed run's evidence is stored on the way to its end.
    if (ended.status === "failed") await story.until("end");
    await saveArtifact(deps, await client.runs.get.query({ runId }), options.out);
    await story.until("end");
    return judge(ended);
  } catch (error) {
    deps.progress.note(`the run may go on; to end it: cactus finalise ${runId}`);
    throw error;
  }
}

/** Rounds that a device makes at most: some steps want to be asked again. */
const MOST_ROUNDS = 5;

async function actAsDevice(
  { progress }: RunDeps,
  client: OrchestratorClient,
  { run, certificate }: { run: Run; certificate: ClientCertificate },
): Promise<void> {
  const { runId, testUrl } = run;
  if (testUrl === null || certificate.privateKeyPem === null) throw new Error("The run has no address.");
  const { certificatePem: caPem } = await client.certificates.authority.query();
  const { chainPem, privateKeyPem, lfdi, sfdi } = certificate;
  using device = openDevice({ chainPem, privateKeyPem, caPem }, testUrl);
  progress.doing(`GET ${testUrl}`);
  const { path, status } = await device.get(new URL(testUrl).pathname);
  progress.done(`device        GET ${path} → ${status} over mutual TLS`);
  if (run.status === "initialised") {
    await client.runs.start.mutate({ runId }).catch(async (error: unknown) => {
      if (reasonOf(error) !== "precondition_failed") throw error;
      progress.note(`device        ${error instanceof Error ? error.message : ""} Registering.`);
      await device.register({ lfdi, sfdi });
      await client.runs.start.mutate({ runId });
    });
  }
  let completed = -1;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const pages = await device.walk();
    const { steps, summary } = await client.runs.status.query({ runId });
    const served = pages.filter((page) => page.status === 200).length;
    progress.done(`device        walked ${pages.length} pages, ${served} are served; ${summary}`);
    const done = steps.filter((step) => step.completedAt !== null).length;
    if (done === steps.length || done === completed) return;
    completed = done;
  }
}

function judge(run: Run): RunOutcome {
  if (run.status === "failed") return "failed";
  return run.allCriteriaMet === true ? "passed" : "unmet";
}
