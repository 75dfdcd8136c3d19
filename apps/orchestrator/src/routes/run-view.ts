import type { ListedRun } from "@cactus/db";
import { z } from "zod";
import type { Config } from "../config.ts";

export const runStatus = z.enum([
  "provisioning",
  "initialised",
  "started",
  "finalising",
  "finalised",
  "failed",
  "skipped",
]);

const time = z.iso.datetime();

export const runOutput = z.object({
  runId: z.uuid(),
  procedureId: z.string(),
  status: runStatus,
  finalisedBy: z.enum(["client", "timeout", "lifetime", "admin"]).nullable(),
  /** Where the device under test begins (DeviceCapability). Null until it is proven to answer. */
  testUrl: z.url().nullable(),
  /** Null: not known (yet). */
  allCriteriaMet: z.boolean().nullable(),
  /** Why it failed, or what its result lacks. */
  failure: z.object({ reason: z.string(), message: z.string() }).nullable(),
  /** Its place in the queue, from 1, as the run's last event `queued` told; null when it is not in the queue. */
  queuePlace: z.number().nullable(),
  hasArtifact: z.boolean(),
  /** `partial`: the runner's archive could not be had; what there was (logs, events, last status) is kept instead. */
  artifact: z
    .object({
      kind: z.enum(["complete", "partial"]),
      fileName: z.string(),
      /** Bytes. */
      size: z.number(),
      /** Hex. */
      sha256: z.string(),
    })
    .nullable(),
  createdAt: time,
  startedAt: time.nullable(),
  finalisedAt: time.nullable(),
});

export type RunView = z.output<typeof runOutput>;

export function toRunView(run: ListedRun, config: PublicAddress): RunView {
  return {
    runId: run.id,
    procedureId: run.procedure_id,
    status: run.status,
    finalisedBy: run.finalised_by,
    testUrl:
      run.teststack_name === null || run.initialised_at === null ? null : buildTestUrl(run.teststack_name, config),
    allCriteriaMet: run.all_criteria_met,
    failure: run.failure_reason === null ? null : { reason: run.failure_reason, message: run.failure_message ?? "" },
    queuePlace: run.status === "provisioning" ? run.queue_place : null,
    hasArtifact: run.artifact_kind !== null,
    artifact: toArtifactView(run),
    createdAt: run.created_at.toISOString(),
    startedAt: run.started_at?.toISOString() ?? null,
    finalisedAt: run.finalised_at?.toISOString() ?? null,
  };
}

function toArtifactView(run: ListedRun): RunView["artifact"] {
  if (run.artifact_kind === null) return null;
  return {
    kind: run.artifact_kind,
    fileName: run.artifact_file_name ?? "",
    size: Number(run.artifact_size),
    sha256: run.artifact_sha256 ?? "",
  };
}

export type PublicAddress = Pick<Config, "TEST_EXECUTION_FQDN" | "TEST_EXECUTION_PORT">;

/** The public address of a teststack's DeviceCapability. */
export function buildTestUrl(teststackName: string, config: PublicAddress): string {
  const port = config.TEST_EXECUTION_PORT === 443 ? "" : `:${config.TEST_EXECUTION_PORT}`;
  return `https://${config.TEST_EXECUTION_FQDN}${port}/${teststackName}/dcap`;
}
