import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export interface Figure {
  what: string;
  value: string;
  /** What it has to reach, where something was set. */
  target?: string;
}

const FILE = fileURLToPath(new URL("../../../bench-results.json", import.meta.url));

/** Prints figures as one table, and writes them to `bench-results.json`. */
export async function reportFigures(figures: Figure[]): Promise<void> {
  const widths = [
    Math.max(...figures.map(({ what }) => what.length)),
    Math.max(...figures.map(({ value }) => value.length)),
  ];
  const rows = figures.map(
    ({ what, value, target = "" }) => `${what.padEnd(widths[0] ?? 0)}  ${value.padEnd(widths[1] ?? 0)}  ${target}`,
  );
  process.stdout.write(`\n${rows.join("\n")}\n`);
  await mkdir(new URL(".", import.meta.url), { recursive: true });
  await writeFile(FILE, `${JSON.stringify({ at: new Date().toISOString(), figures }, null, 2)}\n`);
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
