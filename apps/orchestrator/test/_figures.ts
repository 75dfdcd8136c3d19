import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { V1Deployment } from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";

export interface Figure {
  what: string;
  value: string;
  /** What it has to reach, where something was set. */
  target?: string;
  /** When it was measured, ISO 8601. */
  at?: string;
}

const FILE = fileURLToPath(new URL("../../../bench-results.json", import.meta.url));

/**
 * Prints figures as one table, and keeps them in `bench-results.json`, beside those of the other files: what was measured
 * anew takes the place of what was measured before.
 */
export async function reportFigures(figures: Figure[]): Promise<void> {
  const widths = [
    Math.max(...figures.map(({ what }) => what.length)),
    Math.max(...figures.map(({ value }) => value.length)),
  ];
  const rows = figures.map(
    ({ what, value, target = "" }) => `${what.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${target}`,
  );
  process.stdout.write(`\n${rows.join("\n")}\n`);
  const at = new Date().toISOString();
  const known = new Map(await readKept());
  for (const figure of figures) known.set(figure.what, { ...figure, at });
  await writeFile(FILE, `${JSON.stringify([...known.values()], null, 2)}\n`);
}

async function readKept(): Promise<[string, Figure][]> {
  try {
    const kept: Figure[] = JSON.parse(await readFile(FILE, "utf8"));
    return kept.map((figure) => [figure.what, figure]);
  } catch {
    return [];
  }
}

/** Milliseconds that something takes. */
export async function measure(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Does something `count` times, `parallel` at once, and gives the milliseconds of each, sorted. */
export async function measureEach(
  count: number,
  parallel: number,
  work: (index: number) => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) times.push(await measure(() => work(index)));
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return times.sort((a, b) => a - b);
}

export function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** What the Deployment says of memory: an orchestrator that is measured is given as much. */
export async function readMemorySettings(): Promise<Record<string, string>> {
  const file = new URL("../../../infra/kubernetes/orchestrator/deployment.yaml", import.meta.url);
  const documents = parseAllDocuments(await readFile(file, "utf8")).map((document) => document.toJS());
  const { spec }: V1Deployment = documents.find(({ kind }) => kind === "Deployment");
  const env = spec?.template.spec?.containers[0]?.env ?? [];
  const names = ["NODE_OPTIONS", "MALLOC_ARENA_MAX"];
  return Object.fromEntries(
    env.filter(({ name }) => names.includes(name)).map(({ name, value = "" }) => [name, value]),
  );
}

/** Values of an orchestrator's metrics that have no labels. */
export async function readMetrics(orchestratorUrl: string, ...names: string[]): Promise<number[]> {
  const text = await (await fetch(`${orchestratorUrl}/metrics`)).text();
  return names.map((name) => Number(new RegExp(`^${name} (\\S+)`, "m").exec(text)?.[1]));
}
