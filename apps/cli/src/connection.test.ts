import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findConnection } from "./connection.ts";

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "cactus-cli-"));
  await writeFile(join(home, "standalone.json"), JSON.stringify({ orchestratorUrl: "http://laptop", token: "t0" }));
});
afterAll(() => rm(home, { recursive: true }));

test.each([
  ["the one that runs here", {}, {}, { url: "http://laptop", token: "t0" }],
  ["variables before it", {}, { CACTUS_URL: "http://a", CACTUS_TOKEN: "t1" }, { url: "http://a", token: "t1" }],
  [
    "options before variables",
    { url: "http://b" },
    { CACTUS_URL: "http://a", CACTUS_TOKEN: "t1" },
    { url: "http://b", token: "t1" },
  ],
  ["each by itself", { token: "t2" }, {}, { url: "http://laptop", token: "t2" }],
])("finds %s", (_, options, environment, expected) => {
  expect(findConnection(options, { CACTUS_HOME: home, ...environment })).toEqual(expected);
});

test("says what to do when there is none", () => {
  expect(() => findConnection({}, { CACTUS_HOME: "/nowhere" })).toThrow(
    "start one here (npx -y pnpm@10 start), or set CACTUS_URL and CACTUS_TOKEN. (/nowhere/standalone.json cannot be read.)",
  );
});
