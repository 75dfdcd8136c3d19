import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { beforeEach, expect, test } from "vitest";
import { eventually } from "../../test/_eventually.ts";
import { LogFiles } from "./log-files.ts";
import { streamLog } from "./log-stream.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cactus-logs-"));
  file = join(folder, "x.log");
  return () => rmSync(folder, { recursive: true, force: true });
});

test.each([
  ["a\nb\nc\n", 1, "c\n"],
  ["a\nb\nc\n", 2, "b\nc\n"],
  ["a\nb\nc\n", 3, "a\nb\nc\n"],
  ["a\nb\nc\n", 9, "a\nb\nc\n"],
  ["a\nb\nc", 1, "c"],
  ["a\nb\nc", 2, "b\nc"],
  ["\n\n", 1, "\n"],
  ["a\n", 0, ""],
  ["", 3, ""],
  ["x", 1, "x"],
])("the end of %j, %i lines of it, is %j", async (content, tailLines, expected) => {
  writeFileSync(file, content);
  expect(await text(streamLog(file, { tailLines }))).toBe(expected);
});

test("finds the last lines across blocks, and ends at its limit", async () => {
  const lines = Array.from({ length: 30_000 }, (_, index) => `line ${index}\n`);
  writeFileSync(file, lines.join(""));
  expect(await text(streamLog(file, { tailLines: 20_000 }))).toBe(lines.slice(10_000).join(""));
  expect(await text(streamLog(file, {}))).toBe(lines.join(""));
  expect((await buffer(streamLog(file, { limitBytes: 100_000 }))).length).toBe(100_000);
  expect(await text(streamLog(file, { tailLines: 2, limitBytes: 3 }))).toBe("lin");
});

test("follows its writer to its last word, also through a truncation", async () => {
  writeFileSync(file, "first\n");
  let isWritten = true;
  const stream = streamLog(file, { isWritten: () => isWritten });
  let seen = "";
  stream.on("data", (chunk) => (seen += chunk));
  await eventually(() => seen).toBe("first\n");
  appendFileSync(file, "second\n");
  await eventually(() => seen).toBe("first\nsecond\n");
  truncateSync(file);
  appendFileSync(file, "third\n");
  await eventually(() => seen).toBe("first\nsecond\nthird\n");
  isWritten = false;
  appendFileSync(file, "last\n");
  await eventually(() => stream.readableEnded).toBe(true);
  expect(seen).toBe("first\nsecond\nthird\nlast\n");
});

test("keeps the file of this instance and of the one before, and empties one that grows too large", async () => {
  const files = new LogFiles(folder, 10);
  for (const count of [0, 1, 2]) files.open("app", count, (descriptor) => appendFileSync(descriptor, `run ${count}\n`));
  expect([0, 1, 2].map((count) => existsSync(files.path("app", count)))).toEqual([false, true, true]);
  await files.limit("app", 2);
  expect(readFileSync(files.path("app", 2), "utf8")).toBe("run 2\n");
  files.open("app", 2, (descriptor) => appendFileSync(descriptor, "and more\n"));
  await files.limit("app", 2);
  expect(readFileSync(files.path("app", 2), "utf8")).toBe("");
  expect(readFileSync(`${files.path("app", 2)}.old`, "utf8")).toBe("run 2\nand more\n");
  await files.limit("app", 9);
});
