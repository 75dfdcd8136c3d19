import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const home = fileURLToPath(new URL("..", import.meta.url));
const root = join(home, "../..");
let project: string;

/** Runs a program in a folder; rejects with what it printed. */
async function exec(command: string, args: string[], cwd: string): Promise<string> {
  const { stdout, stderr } = await run(command, args, { cwd, maxBuffer: 64 * 1024 * 1024 }).catch((error) => {
    throw new Error(`${command} ${args.join(" ")}: ${error.stdout}${error.stderr}`);
  });
  return stdout + stderr;
}

const pnpm = (args: string[], cwd: string) => exec("npx", ["-y", "pnpm@10", ...args], cwd);

/** Packs the client and installs it in a project outside the workspace, as a user would. */
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "cactus-client-"));
  await pnpm(["--filter", "@cactus/client...", "run", "build"], root);
  await pnpm(["pack", "--pack-destination", project], home);
  const tarball = (await readdir(project)).find((file) => file.endsWith(".tgz"));
  await writeFile(
    join(project, "package.json"),
    JSON.stringify({ type: "module", private: true, dependencies: { "@cactus/client": `file:./${tarball}` } }),
  );
  await pnpm(["install", "--prefer-offline", "--ignore-workspace"], project);
}, 300_000);
afterAll(() => rm(project, { recursive: true, force: true }));

const compile = (file: string) =>
  exec(
    join(root, "node_modules/.bin/tsc"),
    [
      "--noEmit",
      "--strict",
      "--target",
      "es2022",
      "--module",
      "nodenext",
      "--lib",
      "es2022,dom,dom.asynciterable,esnext.disposable",
      "--types",
      "",
      file,
    ],
    project,
  );

const RIGHT = `
import { createOrchestratorClient, followRun, reasonOf, type Run } from "@cactus/client";

export async function job(url: string): Promise<string> {
  const client = createOrchestratorClient({ url, token: async () => "t" });
  const issued = await client.certificates.issue.mutate({ kind: "device" });
  const lfdi: string = issued.lfdi;
  const run: Run = await client.runs.create.mutate({ procedureId: "ALL-01", certificateId: issued.certificateId });
  const met: boolean | null = run.allCriteriaMet;
  const { runs, nextCursor } = await client.runs.list.query({ status: "started", limit: 5 });
  for await (const event of followRun(client, { runId: run.runId })) {
    const kind: string = event.kind;
    if (kind === "gone") break;
  }
  const reason: string | undefined = reasonOf(new Error("x"));
  return [lfdi, met, runs.length, nextCursor, reason].join();
}
`;

test("the installed package type-checks without the server, and holds none of it", async () => {
  await writeFile(join(project, "right.ts"), RIGHT);
  await compile("right.ts");
  const installed = join(project, "node_modules/@cactus/client/dist");
  const files = await readdir(installed, { recursive: true });
  const code = await Promise.all(
    files.filter((file) => /\.(js|d\.ts)$/.test(file)).map((file) => readFile(join(installed, file), "utf8")),
  );
  expect(code.join("\n")).not.toMatch(/fastify|kysely|client-node|zod|pino|process\.env/);
});

test.each([
  ["a wrong value", 'client.certificates.issue.mutate({ kind: "router" })', /'"router"' is not assignable/],
  ["a missing field", 'client.runs.create.mutate({ procedureId: "ALL-01" })', /'certificateId' is missing/],
  ["a procedure that is not there", "client.runs.explode.mutate({})", /'explode' does not exist/],
  ["a query called as a mutation", 'client.runs.get.mutate({ runId: "x" })', /'mutate' does not exist/],
  [
    "a wrong result",
    'client.runs.get.query({ runId: "x" }).then((run): number => run.status)',
    /is not assignable to type 'number'/,
  ],
])("%s is refused by the compiler", async (_, call, message) => {
  const text = `import { createOrchestratorClient } from "@cactus/client";
    const client = createOrchestratorClient({ url: "http://x", token: "t" });
    export const result = ${call};`;
  await writeFile(join(project, "wrong.ts"), text);
  await expect(compile("wrong.ts")).rejects.toThrow(message);
});

test.each([
  ["the Node of this workspace", process.execPath, []],
  ["Node 20", "npx", ["-y", "node@20.19.0"]],
])("the installed package runs in %s, and sends the token and its input", async (_, command, args) => {
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    seen.push([request.method, request.url, request.headers.authorization]);
    const data = { runId: "r", status: "started" };
    response.setHeader("content-type", "application/json").end(JSON.stringify({ result: { data } }));
  }).listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await writeFile(
    join(project, "run.js"),
    `import { createOrchestratorClient } from "@cactus/client";
     const client = createOrchestratorClient({ url: "${url}", token: "secret" });
     console.log((await client.runs.get.query({ runId: "r" })).status);`,
  );
  expect(await exec(command, [...args, "run.js"], project)).toMatch(/^started$/m);
  server.close();
  expect(seen).toEqual([["GET", "/trpc/runs.get?input=%7B%22runId%22%3A%22r%22%7D", "Bearer secret"]]);
});

test("it bundles for a browser, without anything of Node", async () => {
  await writeFile(join(project, "page.js"), 'export * from "@cactus/client";');
  await build({
    root: project,
    logLevel: "silent",
    build: { outDir: "page", lib: { entry: "page.js", formats: ["es"], fileName: "page" } },
  });
  const code = await readFile(join(project, "page/page.js"), "utf8");
  expect(code).toContain("/trpc");
  expect(code).not.toMatch(/from\s*["']node:|require\(|__vite-browser-external/);
});
