import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openProcedures } from "./procedures.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cactus-procedures-"));
});
afterAll(() => rm(directory, { recursive: true }));

const text = (description: string) =>
  `Description: ${description}\nCategory: c\nClasses: [A]\nTargetVersions: [v1.2]\nSteps: {}\n`;

test("a broken procedure is logged once and takes no other down; changes are seen at once", async () => {
  const lines: string[] = [];
  const store = openProcedures(directory, pino({}, { write: (line) => void lines.push(line) }));
  await writeFile(join(directory, "ALL-01.yaml"), text("first"));
  await writeFile(join(directory, "ALL-02.yaml"), "Description: [");
  await writeFile(join(directory, "notes.txt"), "not a procedure");
  expect((await store.list()).map((procedure) => procedure.id)).toEqual(["ALL-01"]);
  expect(await store.find("ALL-02")).toBeUndefined();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("ALL-02.yaml");

  await writeFile(join(directory, "ALL-02.yaml"), text("second"));
  await writeFile(join(directory, "ALL-01.yaml"), text("changed"));
  expect((await store.list()).map((procedure) => procedure.description)).toEqual(["changed", "second"]);
  await rm(join(directory, "ALL-01.yaml"));
  expect(await store.find("ALL-01")).toBeUndefined();
});
