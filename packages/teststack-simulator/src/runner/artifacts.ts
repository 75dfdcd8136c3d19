import { toPythonJson } from "../http/python-text.ts";
import type { ArchiveEntry } from "./archive.ts";
import type { Stack } from "./stack.ts";
import type { TestRun } from "./test-run.ts";
import { toTimestamp } from "./timestamp.ts";

/** Collects what the runner puts into its archive: summary, reporting data, logs, database dumps, request files. */
export function collectArtifacts(
  run: TestRun,
  status: Readonly<Record<string, unknown>>,
  stack: Stack,
): ArchiveEntry[] {
  const now = stack.now();
  const infix = `_${Math.floor(now.getTime() / 1000)}_${run.name}`;
  const reporting = {
    version: 1,
    createdAt: toTimestamp(now),
    checkResults: buildCheckResults(run),
    readings: [],
    sites: run.utilityServer.devices.map(({ lfdi, sfdi }) => ({ lfdi: lfdi.toUpperCase(), sfdi })),
    timeline: null,
  };
  const dump = run.utilityServer.devices.map(
    ({ lfdi }, at) => `INSERT INTO public.site VALUES (${at + 1}, '${lfdi}');\n`,
  );
  const files = stack.files.readAll().map(({ name, content }) => ({ name: `requests/${name}`, content }));
  return [
    { name: `EnvoyDBSchema${infix}.dump`, content: "CREATE TABLE public.site (site_id integer, lfdi text);\n" },
    { name: `envoy.server${infix}.log`, content: String(stack.logs.envoy) },
    { name: `ReportingData_v1${infix}.json`, content: toPythonJson(reporting) },
    { name: `envoy.admin${infix}.log`, content: String(stack.logs.admin) },
    { name: `CactusTestProcedureSummary${infix}.json`, content: toPythonJson(status) },
    { name: `cactus_runner${infix}.log`, content: String(stack.logs.runner) },
    { name: `EnvoyDB${infix}.dump`, content: dump.join("") },
    ...files,
  ];
}

function buildCheckResults(run: TestRun): Readonly<Record<string, unknown>> {
  const checks = run.check(run.procedure.criteria);
  const results = checks.map(({ type, success, details }) => [type, { passed: success, description: details || null }]);
  const errors = run.requestHistory.map((entry) => entry.bodyXmlErrors.length).filter((found) => found > 0);
  const total = errors.reduce((sum, found) => sum + found, 0);
  const description =
    total === 0
      ? "No XSD errors detected in any requests."
      : `Detected ${total} xsd errors over ${errors.length} request(s).`;
  return { ...Object.fromEntries(results), "all-requests-xsd-valid": { passed: total === 0, description } };
}
