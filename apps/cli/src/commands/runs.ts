import { createOrchestratorClient, type Inputs } from "@cactus/client";
import type { Connection } from "../connection.ts";

/** The caller's runs, the newest first, one a line. */
export async function runs(connection: Connection, options: Inputs["runs"]["list"]): Promise<string> {
  const page = await createOrchestratorClient(connection).runs.list.query(options);
  if (page.runs.length === 0) return "No runs yet. To make one: cactus run ALL-01";
  return page.runs
    .map((run) => {
      const verdict =
        { true: "all criteria met", false: "criteria not met", null: "" }[String(run.allCriteriaMet)] ?? "";
      const why = run.failure?.message ?? verdict;
      return [run.runId, run.createdAt, run.procedureId.padEnd(12), run.status.padEnd(12), why].join("  ").trimEnd();
    })
    .join("\n");
}
