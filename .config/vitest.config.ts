import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

const conditions = ["@cactus/source"];
// `__vitest__` is where global setup files are loaded.
const onSources = { ssr: { resolve: { conditions } }, environments: { __vitest__: { resolve: { conditions } } } };
const root = new URL("..", import.meta.url).pathname;
const homes = ["apps", "packages"].flatMap((folder) =>
  readdirSync(join(root, folder)).map((name) => join(folder, name)),
);
const suites = ["interop", "kubernetes", "crash", "bench", "kubernetes-bench"];

/**
 * One vitest project per package, run on the TypeScript sources.
 * In place of the tests (`*.test.ts`), `--mode interop` picks the suite that needs tools beside Node (`*.interop.ts`), and
 * `--mode kubernetes` the one on a real Kubernetes (`*.kubernetes.ts`), which is brought up for it; `--mode crash` kills
 * the orchestrator at each of its effects (`*.crash.ts`); `--mode bench` measures (`*.bench.ts`), `--mode kubernetes-bench`
 * on that real Kubernetes (`*.kubernetes-bench.ts`).
 */
export default defineConfig(({ mode }) => {
  const suite = suites.includes(mode) ? mode : "test";
  const onKubernetes = suite.startsWith("kubernetes");
  const projects = [...homes, "infra/test-cluster"].map((folder): TestProjectInlineConfiguration => {
    const home = join(root, folder);
    return {
      root: home,
      ...onSources,
      test: {
        name: JSON.parse(readFileSync(join(home, "package.json"), "utf8")).name,
        include: [`{src,test}/**/*.${suite}.ts`],
        testTimeout: 120_000,
        hookTimeout: 120_000,
        // What comes soon comes later on a machine that stalls.
        expect: { poll: { timeout: 30_000 } },
      },
    };
  });
  const globalSetup = onKubernetes
    ? "infra/test-cluster/src/global-setup.ts"
    : "packages/db/src/testing/global-setup.ts";
  return {
    root,
    ...onSources,
    // Most of a test is waiting. But there is one cluster, and figures are to be of one thing: one file after the other there.
    test: { projects, globalSetup, maxWorkers: 2, fileParallelism: !onKubernetes && suite !== "bench" },
  };
});
