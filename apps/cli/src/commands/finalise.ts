import { createOrchestratorClient, followRun, type Run } from "@cactus/client";
import type { Connection } from "../connection.ts";
import { saveArtifact } from "../download.ts";
import type { Progress } from "../progress.ts";

/** Ends a run (again without harm), waits for its end, and saves its zip where there is one. */
export async function finalise(
  { connection, progress }: { connection: Connection; progress: Progress },
  { runId, out }: { runId: string; out: string | undefined },
): Promise<Run> {
  const client = createOrchestratorClient(connection);
  await client.runs.finalise.mutate({ runId });
  progress.doing("finalising");
  for await (const event of followRun(client, { runId })) progress.note(`${event.kind.padEnd(13)} ${event.message}`);
  const run = await client.runs.get.query({ runId });
  await saveArtifact({ connection, progress }, run, out);
  return run;
}
