import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

const conditions = ["@cactus/source"];
// `__vitest__` is where global setup files are loaded.
const onSources = { ssr: { resolve: { conditions } }, environments: { __vitest__: { resolve: { conditions } } } };
const root = new URL("..", import.meta.url).pathname;

/**
 * One vitest project per package, run on the TypeScript sources.
 * `--mode interop` picks the suite that needs tools beside Node (`*.interop.ts`) in place of the tests (`*.test.ts`).
 */
export default defineConfig(({ mode }) => {
  const include = mode === "interop" ? ["{src,test}/**/*.interop.ts"] : ["{src,test}/**/*.test.ts"];
  const projects = ["apps", "packages"].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name): TestProjectInlineConfiguration => {
      const home = join(root, folder, name);
      return {
        root: home,
        ...onSources,
        test: {
          name: JSON.parse(readFileSync(join(home, "package.json"), "utf8")).name,
          include,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      };
    }),
  );
  return {
    root,
    ...onSources,
    test: { projects, passWithNoTests: true, globalSetup: ["packages/db/src/testing/global-setup.ts"] },
  };
});
